# SPDX-License-Identifier: GPL-3.0-or-later
"""A frozen server that wakes up, before or after it is fenced, never writes beside its successor (SAFE-1).

Goal: zombies. Method: freeze the server; the power switch acts 2 s late and the node thaws in between, thinking it
is still a member; and once more with the thaw after the takeover.
"""
import time

from cluster import Cluster
from netlab import LabError
from scene import until


def play(t):
    with Cluster(t, nodes=3) as c:
        for late in (2, 0):
            c.wait_ready()
            first = c.wait_server()
            began = len(c.offs())
            if late:
                c.lab.fault("late", action="off", seconds=late, times=1)
            c.lab.freeze(first.node)
            frozen = time.monotonic()
            until(lambda: len(c.offs()) > began, "a call to switch the frozen node off", 15)
            if late:
                time.sleep(0.5)
                c.lab.thaw(first.node)
            before, after, gap = c.handover(first, nodes=[k for k in c.nodes if k != first.node])
            if not late:
                try:
                    c.lab.thaw(first.node)
                except LabError:
                    pass             # it is off, or on in another life: nothing to thaw
            c.off_between(before, after)
            wrote = before.last - frozen
            t.say(f"{'thawed before it was fenced' if late else 'thawed afterwards'}: served again after {gap:.2f} s, "
                  + (f"the zombie wrote until {wrote:.2f} s after the freeze" if wrote > 0 else "it never wrote again"))
            time.sleep(1)
            c.never_two_writers()
            c.lab.faults_clear()
