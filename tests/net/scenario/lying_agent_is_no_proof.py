# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that says ok and does nothing gives no proof: the second read says on, nobody takes over (SAFE-1, SAFE-3).

Method: cut the server's network while the power switch lies about switching off; then let it tell the truth.
"""
import time

from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        first = c.wait_server()
        rest = [k for k in c.nodes if k != first.node]
        c.lab.fault("lie", action="off")
        c.lab.unplug(first.node)
        until(lambda: len(c.lab.calls(action="off", fault="lie")) >= 2, "two lies", 20)
        c.stays_with(first, 2)
        for k in rest:
            t.equal(c.seen(k, first.node)["state"], "victim", f"the victim as n{k} sees it")
        fencing = c.seen(rest[0], first.node)["fencing"]
        t.check(fencing and fencing["error"] and "on" in fencing["error"].split(), f"the error names no status on: {fencing}")
        t1 = time.monotonic()
        c.lab.faults_clear()
        before, after, _ = c.handover(first, nodes=rest)
        c.off_between(before, after)
        t.say(f"{len(c.lab.calls(fault='lie'))} lies gave no proof; served {after.first - t1:.2f} s after the truth")
        c.never_two_writers()
