# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer of a node whose power is cut serves after it has proof; the cut node comes back as a member.

Goal: the main job in its smallest form (SAFE-1). Method: cut the power of the serving node of two, three times.
"""
from cluster import Cluster


def play(t):
    with Cluster(t, nodes=2) as c:
        for _ in range(3):
            c.wait_ready()
            first = c.wait_server()
            c.lab.powercut(first.node)
            before, after, gap = c.handover(first, nodes=[3 - first.node])
            c.off_between(before, after)
            t.say(f"power cut of n{before.node}: served by n{after.node} after {gap:.2f} s")
            c.wait_ready()
            t.equal(c.seen(after.node, before.node)["state"], "member", "state of the fenced node after its return")
        c.never_two_writers()
