# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes and no fence device but their watchdogs: of a cut the one that serves stays; after its crash the other one serves.

SAFE-1, SAFE-12, SAFE-13. i6300esb in both, and nothing else. (1) The network between the nodes is cut: both reach the disk, the one that
serves goes on, the other one reads there that it lives, and is reset by its own watchdog. (2) The kernel of the one that serves
crashes (sysrq-c): the other one reads that its heartbeat stands still, stays, says for how long it has to wait, and has the
proof when that watchdog must have fired; its own never fires. No record is lost, and the disk has one writer at a time. On a
machine without a user (CI) the second alone (`grades` has a cut); STOCKADE_PETTING=all for both.
"""
import json
import os
import time

from cluster import Cluster, config

CONF = "fence_timeout: 1s\nfence_check_age: 1min\nfence_loop: off\n"


def members(c):
    return all(c.seen(a, b).get("state") == "member" for a in (1, 2) for b in ("node1", "node2")) and \
        all((c.status(n, "fenced").get("watchdog") or {}).get("armed") for n in (1, 2))


def events(c, node, name, since_ms=0):
    return [e for e in c.ask(node, "fenced", cmd="history", max=300).get("entries", []) if e["event"] == name and e["mono_ms"] >= since_ms]


def watches(c, node):
    """Has it looked at the disk: what it reads there counts a stale time later."""
    volumes = c.status(node, "storaged").get("volumes") or []
    return bool(volumes) and all(v.get("reachable") for v in volumes)


def resets(c, node, since):
    return [e for e in c.lab.events() if e["mono"] > since and f"'{node}'" in e["text"] and "reset" in e["text"]]


def cut(c, values, first, other):
    t = c.t
    with t.step(f"the network is cut: {other} reads on the disk that {first} lives, gives up, and is reset"):
        at = time.monotonic()
        c.lab.split(1, 2)
        t.until(lambda: any("is the one to stay" in e["text"] for e in events(c, other, "fence.fail")), 60, f"{other} says why it gives up", 0.3)
        reset = c.lab.wait_event(other, "reset", since=at, timeout=180)["mono"]
        c.lab.join(1, 2)
    last = c.wait_served(first, since=reset)
    t.equal(resets(c, first, at), [], f"{first} was not reset")
    t.check(all(a[2] == first for a in c.writer.acked), f"{first} alone has served")
    t.say(f"          {other} was reset {reset - at:.1f} s after the cut (grace {values['watchdog_grace_ms'] / 1000:.0f} s, watchdog {values['watchdog_ms'] / 1000:.0f} s); "
          f"{first} serves, {last[1] - at:.1f} s after the cut; longest pause of the client: {c.downtime():.1f} s")
    t.until(lambda: members(c) and watches(c, other), 300, f"{other} is back, armed, and reads the disk", 0.5)


def crash(c, values, first, other):
    t = c.t
    with t.step(f"the kernel of {first}, which serves, crashes"):
        at = c.lab.node(first).crash()
        t.until(lambda: events(c, other, "fence.watchdog"), 90, f"{other} waits for the watchdog of {first}", 0.3)
        wait = events(c, other, "fence.watchdog")[-1]
        t.check("stands still" in wait["text"], f"the history of {other} says why it may wait, and how long: {wait['text']}")
        for words in (("why", first), ("status",)):
            t.until(lambda words=words: "its watchdog" in c.stockade(other, *words, check=False).out, 60,
                    f"stockade {' '.join(words)}, asked on {other}, says what is waited for: {c.stockade(other, *words, check=False).out}", 0.5)
    with t.step(f"{other} has the proof, not before its time, and serves"):
        t.until(lambda: (c.seen(other, first).get("proof") or {}).get("kind") == "watchdog_expired", wait["wait_ms"] / 1000 + 120,
                f"a watchdog_expired proof: {c.seen(other, first)}", 0.3)
        proven = time.monotonic()
        served = c.wait_served(other, since=at, timeout=180)
    t.check(wait["wait_ms"] / 1000 <= proven - at, f"not before the {wait['wait_ms'] / 1000:.0f} s were over: {proven - at:.1f} s")
    proof = c.seen(other, first)["proof"]
    t.check("stood still" in proof["evidence"], f"the evidence: {proof}")
    t.equal(resets(c, other, at), [], f"{other} was not reset")
    t.say(f"          told to wait {wait['wait_ms'] / 1000:.0f} s; proof {proven - at:.1f} s after the crash, served again after {served[1] - at:.1f} s; {proof['evidence']}")


def play(t):
    conf = config(fence={n: "[dog]" for n in (1, 2)}, extra=CONF).replace("fence_devices:\n", "fence_devices:\n  dog: {agent: watchdog}\n")
    c = Cluster(t, conf=conf, serve=False)
    for node in c.lab.nodes.values():
        node.put("/etc/modules-load.d/dog.conf", "i6300esb\n")
        node.run("modprobe", "i6300esb")
    c.start()
    with t.step("watchdogs armed, volume prepared, service running"):
        c.prepare()
        c.wait_running(timeout=240)
        t.until(lambda: members(c), 120, "both are members, and armed", 0.5)
    values = json.loads(c.stockade(1, "timing", "--json").out)["values"]
    c.start_clients()
    first = c.server()
    other = "node2" if first == "node1" else "node1"
    if not os.environ.get("CI") or os.environ.get("STOCKADE_PETTING") == "all":
        cut(c, values, first, other)
    t.until(lambda: watches(c, other), 60, f"{other} reads the disk", 0.5)
    crash(c, values, first, other)
    c.check_one_writer([first, other])
    c.finish(by=other)
