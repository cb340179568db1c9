# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage network lost for a moment, on the standby node, on both, the target restarted: nothing moves, nobody is fenced, and each says what it waits for."""
import time

from cluster import Cluster, config

STORAGE = 1
# storage 7 s, and 3 s more are left to a loss of 3 s: TCP's own repetition comes after 6.2 s at the latest
CONF = config(detect="6s", extra="fence_loop: off\n")


def reach(c, by, of):
    rows = c.service(by).get("storage") or []
    return next((r["state"] for r in rows if r["node"] == of), None)


def storage_why(c, node):
    said = c.stockade(node, "why", "web", check=False, timeout=60).out
    return said if "does not reach its storage" in said and "lost for" in said else None


def stopped(c, since):
    return [ev["text"].split("'")[3] for ev in c.lab.events() if ev["mono"] > since and "Stopped" in ev["text"]]


def play(t):
    c = Cluster(t, conf=CONF)
    first = c.server()
    other = "node2" if first == "node1" else "node1"
    here, there = int(first[-1]), int(other[-1])
    at = time.monotonic()
    before = c.running_since(here)
    t.until(lambda: reach(c, here, other) == "reached" and reach(c, there, first) == "reached", 120, "both reach the storage, and say so", 0.5)

    with t.step(f"{other} alone loses the storage network: it is no target, and says so; the service runs on"):
        c.lab.node(there).cut(links=(STORAGE,))
        t.until(lambda: reach(c, here, other) == "lost", 120, f"{first} knows that {other} has lost the storage", 0.5)
        volume = (c.status(other, "storaged").get("volumes") or [{}])[0]
        t.equal(volume.get("reachable"), False, f"{other} is ready to take over: {volume}")
        res = c.stockade(there, "service", "relocate", "web", other, check=False, timeout=60)
        t.check(res.code != 0 and "does not reach the storage" in res.out + res.err, f"a move there is refused: {res.out}{res.err}")
        t.equal(c.running_since(here), before, "the service of that node, untouched")
    c.lab.node(there).heal()
    t.until(lambda: reach(c, here, other) == "reached", 180, f"{other} reaches it again by itself", 0.5)

    with t.step(f"{first} loses it for 3 s: it is ridden through"):
        c.lab.node(here).cut(links=(STORAGE,))
        time.sleep(3)
        c.lab.node(here).heal()
        c.wait_served(first, since=time.monotonic())
        t.equal(c.running_since(here), before, "the service of that node, untouched")

    with t.step("nobody reaches the target: the service waits where it is, nobody is fenced"):
        for n in (1, 2):
            c.lab.node(n).cut(links=(STORAGE,))
        # running, and waiting; or, when its check has failed and a start in place, too, nowhere: it says so in both
        said = t.until(lambda: storage_why(c, here), 240, f"{first} says what it waits for, and since when: {c.service(here)}", 0.5)
        t.say("          " + " ".join(said.split()))
        time.sleep(5)
    for n in (1, 2):
        c.lab.node(n).heal()
    with t.step("the target is back: it is served again"):
        c.wait_served(since=time.monotonic(), timeout=240)

    with t.step("the target ends, stays away until nobody reaches it, and starts again: nobody is fenced, it is served again"):
        t.until(lambda: all(reach(c, n, n) == "reached" for n in ("node1", "node2")), 240, "both reach the storage again", 0.5)
        c.lab.control("stop", "tgtd")
        t.until(lambda: all(reach(c, n, n) == "lost" for n in ("node1", "node2")), 120, "both have lost the storage", 0.5)
        c.lab.target_up()
        c.wait_served(since=time.monotonic(), timeout=240)
    t.until(lambda: all(reach(c, n, n) == "reached" for n in ("node1", "node2")), 240, "both reach the storage again", 0.5)
    t.equal(stopped(c, at), [], "nodes that were switched off")
    t.until(lambda: all(c.seen(x, y).get("state") == "member" for x, y in ((first, other), (other, first))), 60, "both nodes are members", 0.5)
    c.finish()
