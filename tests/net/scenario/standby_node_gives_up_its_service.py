# SPDX-License-Identifier: GPL-3.0-or-later
"""A node in standby hands its service over and gets none until unstandby; its power stays on.

Method: standby of the server, then of all: nobody serves; unstandby of one: it serves.
"""
from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        run = c.wait_server()
        for n in range(2):
            c.command(1, cmd="node", name=f"n{run.node}", action="standby")
            before, run, gap = c.handover(run)
            t.check(before.node != run.node, f"n{run.node} serves in standby")
            t.say(f"standby of n{before.node}: n{run.node} serves after {gap:.3f} s")
        c.command(1, cmd="node", name=f"n{run.node}", action="standby")
        until(lambda: c.server() is None, "nobody to serve when all are in standby", 20)
        c.stays_with(run, 1)
        t.check(c.service(1)["why"], "storaged does not say why nobody serves")
        c.command(2, cmd="node", name="n3", action="unstandby")
        after = c.wait_server(nodes=[3], but=run.token)
        t.check(after.node == 3, "the wrong node")
        t.equal(c.offs(), [], "calls to switch off")
        c.never_two_writers()
