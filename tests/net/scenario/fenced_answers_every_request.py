# SPDX-License-Identifier: GPL-3.0-or-later
"""fenced answers every request of doc/protocol.md, refuses what it must with words and a remedy, and does what it says.

Method: three nodes without a service; each request well and badly put; what happened is read from the power switch.
"""
from cluster import Cluster
from scene import until


def refused(t, reply, code, what):
    t.equal((reply.get("ok"), reply.get("code")), (False, code), what)
    t.check(reply.get("error") and reply.get("remedy"), f"{what}: no error or no remedy: {reply}")
    return reply["error"]


def play(t):
    with Cluster(t, nodes=3, serve=False) as c:
        c.wait_ready()

        def ask(**request):
            return c.ask(1, "fenced", timeout=10, **request)

        refused(t, ask(cmd="nonsense"), "usage", "an unknown command")
        refused(t, ask(cmd="fence"), "usage", "fence without a node")
        refused(t, ask(cmd="fence", node="n9", reason="x"), "no_such", "fence of a node that is not there")
        refused(t, ask(cmd="ack", node="n3", force=False, reason=None), "refused", "ack of a member")
        refused(t, ask(cmd="ack", node="n3", force=True, reason="typed in haste"), "refused", "ack by force of a member")
        refused(t, ask(cmd="ack", node="n1", force=False, reason=None), "refused", "ack of the node that is asked")
        for cmd in ("ack", "admit"):
            refused(t, ask(cmd=cmd, node="n9", force=False, reason=None), "no_such", f"{cmd} of a node that is not there")
        refused(t, ask(cmd="admit", node="n2"), "refused", "admit of a node that is not held")

        st = ask(cmd="status")
        t.equal([n["state"] for n in st["nodes"]], ["member"] * 3, "states")
        t.check(all(p["result"] == "pass" and p["by"] == "n1" for n in st["nodes"] for p in n["paths"]),
                f"paths: {[n['paths'] for n in st['nodes']]}")
        t.equal(ask(cmd="why", name="n2")["links"][0]["state"], "member", "why a member")
        t.equal(ask(cmd="why", name="", kind="cluster")["links"][0]["state"], "informed", "why the cluster")
        t.equal(ask(cmd="why", name="nobody")["links"], [], "why nobody")
        t.check(ask(cmd="ready")["ok"], "ready")

        # fence: the victim is off, the proof has a higher number, the evidence names the device; it comes back by itself
        reply = ask(cmd="fence", node="n3", reason="a test")
        t.check(reply["ok"], f"fence: {reply}")
        dead = until(lambda: (p := c.seen(1, 3).get("proof")) and p["number"] > reply["proof_number"] and p, "a proof", 20)
        t.check(c.lab.events("off", node=3) or dead["kind"] == "new_boot", f"n3 was never off: {dead}")
        c.wait_ready(seconds=30)

        # a goodbye: nobody is fenced for it, the proof says so, and the node is a member again when its fenced returns
        offs = len(c.lab.events("off"))
        reply = c.ask(2, "fenced", timeout=10, cmd="leave")
        t.check(reply.get("ok") or reply.get("code") == "down", f"leave: {reply}")
        until(lambda: any(e["event"] == "fenced.leave" for e in ask(cmd="history", max=50)["entries"]), "goodbye told", 5)
        c.wait_ready(seconds=20)           # its service manager starts it anew
        t.equal(len(c.lab.events("off")), offs, "nodes switched off by a goodbye")

        history = ask(cmd="history", max=200)
        events = [e["event"] for e in history["entries"]]
        for event in ("fenced.start", "view", "fence.victim", "fence.proof", "ready.pass"):
            t.check(event in events, f"history names no {event}: {sorted(set(events))}")
        t.check(all(e["text"] and e["node"] == "n1" for e in history["entries"]), "each entry has a sentence and a node")

        # the node that is asked itself: another one proves it, and it is back as another life
        life, number = c.lab.node(1)["life"], c.seen(2, 1).get("proof") or {"number": 0}
        reply = ask(cmd="fence", node="n1", reason="the very node")
        t.check(reply.get("ok") or reply.get("code") == "down", f"fence of the node that is asked: {reply}")    # it may be gone before it has answered
        until(lambda: c.lab.node(1)["life"] > life, "n1 to be in another life", 30)
        until(lambda: (p := c.seen(2, 1).get("proof")) and p["number"] > number["number"], "a proof about n1", 30)
        c.wait_ready(seconds=30)
