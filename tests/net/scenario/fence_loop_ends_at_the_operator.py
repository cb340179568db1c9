# SPDX-License-Identifier: GPL-3.0-or-later
"""A node fenced three times in the window comes back, starts nothing and fences nobody until `stockade node admit` lets it in.

Goal: no endless loop of fencing and booting, the state survives a restart of all nodes, and the history tells it afterwards.
Method: power cuts of the same node; then a power cut of everybody; then a cut of the serving node, that the held one
must not take over.
"""
import time

from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=2, fence_loop="{times: 3, within: 10min}") as c:
        c.wait_ready()
        run = c.wait_server()
        held = 3 - run.node
        for n in range(3):
            until(lambda: c.seen(held, run.node).get("weight") == 1, "the other to know who serves", 10)
            time.sleep(0.2)
            t0 = time.monotonic()
            c.lab.freeze(held)
            until(lambda: [e for e in c.lab.events("off") if e["t"] > t0 and e["node"] == held], f"fencing {n + 1}", 20)
            until(lambda: c.seen(run.node, held).get("state") == "member", "it is a member again", 20)
        t.equal(c.seen(run.node, held)["held"], True, "held, as the other node says")
        until(lambda: c.status(held, "fenced").get("informed") is False and c.seen(held, held).get("held"), "it knows itself", 5)
        text = c.why(run.node, f"n{held}", "node", daemon="fenced")[0]
        t.check(text["state"] == "held" and f"stockade node admit n{held}" in text["remedy"], f"why: {text}")
        t.equal(c.server(), run.node, "who serves meanwhile")

        for k in (1, 2):
            c.lab.powercut(k)
        for k in (1, 2):
            c.lab.boot(k)
        after = c.wait_server({run.node}, 40, but=run.token)
        until(lambda: c.seen(run.node, held).get("state") == "member", "both are members after a restart of all", 20)
        t.equal(c.seen(run.node, held)["held"], True, "held, after a restart of all")
        told = [e["event"] for e in c.ask(run.node, "fenced", cmd="history", max=500)["entries"]]
        t.check("fence.held" in told and told.count("fence.proof") >= 3, f"the history tells it after the restart of all: {told}")

        t0 = time.monotonic()
        c.lab.powercut(run.node)
        until(lambda: c.seen(held, run.node).get("state") == "victim", "the held node sees a victim", 10)
        c.stays_with(after, 4)
        t.equal([e for e in c.lab.events("off") if e["t"] > t0 and e["by"] != "the lab"
                 and e["by"].startswith("agent")], [], "what the held node switched off")
        r = c.ask(held, "fenced", cmd="admit", node=f"n{held}")
        t.check(r["ok"], f"admit: {r}")
        _, late, _ = c.handover(after, {held}, 30)
        t.equal(late.node, held, "let in, it takes over")
        c.never_two_writers()
