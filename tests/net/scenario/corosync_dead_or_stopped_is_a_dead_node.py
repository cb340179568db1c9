# SPDX-License-Identifier: GPL-3.0-or-later
"""A server whose corosync is killed, stopped under running daemons, or stands still, is fenced; the others serve, never beside it (SAFE-1).

Method: SIGKILL of corosync on the server; SIGTERM (systemd stops our daemons first, a hand may not); later SIGSTOP of it, daemons and service running on.
"""
import os
import signal
import time

from cluster import Cluster


def play(t):
    with Cluster(t, nodes=3) as c:
        for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):
            c.wait_ready()
            first = c.wait_server()
            t0 = time.monotonic()
            for pid in c.lab.pids(first.node, "corosync"):
                os.kill(pid, sig)
            before, after, gap = c.handover(first, nodes=[k for k in c.nodes if k != first.node])
            c.off_between(before, after)
            t.say(f"{sig.name} of corosync: the server wrote on for {before.last - t0:.2f} s, served again after {gap:.2f} s")
        c.wait_ready()
        c.never_two_writers()
