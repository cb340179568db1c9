# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts: between the nodes the serving one survives and serves on; a serving node without any link is taken over."""
import time

from cluster import Cluster


def stopped(c, since):
    """Nodes that the hypervisor switched off after @since."""
    return sorted({ev["text"].split("'")[3] for ev in c.lab.events() if ev["mono"] > since and "Stopped" in ev["text"]})


def play(t):
    c = Cluster(t)
    first, other = c.server(), "node2" if c.server() == "node1" else "node1"

    with t.step("nodes cut from each other: SAFE-4, exactly one survivor, the one that serves"):
        at, runs = time.monotonic(), c.running_since(first)
        c.lab.split(1, 2)
        off = c.fenced_at(other, at)
        c.wait_served(first, since=off)
        t.equal(stopped(c, at), [other], "nodes that were fenced")
        t.say(f"          {other} was switched off after {off - at:.2f} s; client: {c.downtime():.2f} s without service")
        t.equal(c.running_since(first), runs, "the service went on: the same process on the same mount")
    with t.step("the cut lasts while the loser boots: alone it starts nothing and fences nobody"):
        c.lab.node(other).wait_booted()
        time.sleep(15)
        t.equal(stopped(c, at), [other], "nodes that were fenced")
        c.check_one_writer([first])
    c.lab.join(1, 2)
    with t.step("healed: the loser rejoins"):
        t.until(lambda: c.seen(first, other).get("state") == "member", 120, f"{other} is a member again", 0.5)

    with t.step("both links of the serving node cut: the other takes over"):
        at = time.monotonic()
        c.lab.node(first).cut()
        off = c.fenced_at(first, at)
        served = c.wait_served(other, since=at)
        t.equal(stopped(c, at), [first], "nodes that were fenced")
        t.say(f"          off after {off - at:.2f} s, first record by {other} after {served[1] - at:.2f} s")
    c.lab.node(first).heal()
    c.check_one_writer([first, other])
    t.check(c.runs()[1][1] > off, "SAFE-1: nothing was written before the cut node was off")
    with t.step("healed: the cut node rejoins"):
        t.until(lambda: c.seen(other, first).get("state") == "member", 120, f"{first} is a member again", 0.5)
    c.check_one_writer([first, other])
    c.finish()
