# SPDX-License-Identifier: GPL-3.0-or-later
"""A node cut from the majority stops; the majority serves only after that node is proven off (SAFE-1, SAFE-4, SAFE-7).

Goal: "it has no quorum, so it must have stopped" is no proof. Method: split the server off three nodes while the power
switch fails: nobody may serve; let the switch work: the majority takes over. The minority asks for no switch-off.
"""
import time

from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        first = c.wait_server()
        rest = [k for k in c.nodes if k != first.node]
        c.lab.fault("fail", action="off")
        t0 = time.monotonic()
        c.lab.split((first.node,), tuple(rest))
        until(lambda: c.offs(), "a call to switch off", 15)
        until(lambda: c.server() is None, "the minority's server to stop", 20)
        t.say(f"the minority stopped {c.run_of(first.token).last - t0:.2f} s after the cut")
        c.stays_with(first, 4)
        t.check(all(e["actor"] in rest for e in c.offs()), f"the minority asked to switch off: {c.offs()}")
        t.equal(c.lab.events("off"), [], "switch-offs while the switch failed")
        t1 = time.monotonic()
        c.lab.faults_clear()
        before, after, _ = c.handover(first, nodes=rest)
        c.off_between(before, after)
        t.say(f"the majority serves {after.first - t1:.2f} s after the switch works again")
        c.lab.heal()
        c.wait_ready()
        c.never_two_writers()
