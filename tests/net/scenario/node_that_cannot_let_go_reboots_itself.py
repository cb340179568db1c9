# SPDX-License-Identifier: GPL-3.0-or-later
"""A server without quorum whose stop hangs reboots itself in the time that all know; its new life is the proof (SAFE-7).

Method: split the server off while nobody can fence it and its service's stop never ends; heal after it rebooted.
"""
import time

from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=3, script='[ "$1" != stop ] || exec sleep 1000\n') as c:
        c.wait_ready()
        first = c.wait_server()
        rest = [k for k in c.nodes if k != first.node]
        c.lab.fault("fail")
        t0 = time.monotonic()
        c.lab.split((first.node,), tuple(rest))
        off = until(lambda: c.lab.events("off", node=first.node), "the server to reboot itself", 30)[0]
        t.equal(off["by"].split(":")[0], "itself", "who switched the server off")
        t.say(f"it rebooted itself {off['t'] - t0:.2f} s after the cut")
        c.stays_with(first, 1)
        c.lab.heal()
        before, after, _ = c.handover(first)
        t.check(before.last < off["t"] + 0.05, f"the old life wrote at {before.last}, it was off at {off['t']}")
        t.equal(after.boot == before.boot, False, "the new run is of the old life")
        t.equal(len(c.lab.events("off")), 1, "switch-offs")
        proof = c.seen(rest[0], first.node)["proof"]
        t.equal(proof and proof["kind"], "new_boot", "the proof of the server's death")
        t.say(f"healed, proven by {proof['kind']}, served on n{after.node} {after.first - off['t']:.2f} s after the reboot")
        c.never_two_writers()
