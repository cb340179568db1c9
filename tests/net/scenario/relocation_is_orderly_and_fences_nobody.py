# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's relocate: stop here, start there, no fencing, a short pause.

Method: relocate round the three nodes, without and with a target; measure the pause on the disk.
"""
from cluster import Cluster


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        run = c.wait_server()
        pauses = []
        for target in (None, 1, 2, 3, 1):
            if target == run.node:
                continue
            c.command(run.node % 3 + 1, cmd="service", name="rec", action="relocate",
                      node=f"n{target}" if target else None)
            before, run, gap = c.handover(run, nodes=[target] if target else None)
            t.check(before.node != run.node, f"relocated from n{before.node} to itself")
            pauses.append(gap)
        t.equal(c.offs(), [], "calls to switch off")
        c.never_two_writers()
        t.say("pauses " + " ".join(f"{p:.3f}" for p in pauses) + " s")
