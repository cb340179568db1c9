# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon of ours that stands still (SIGSTOP) and goes on loses nothing and lets nothing go wrong meanwhile.

Goal: corosync tells no event whatever about it. Method: stop each of the three on the server, and each on the node
that would take over; then a power cut of the server while the other's daemon stands still.
"""
import os
import signal
import time

from cluster import DAEMONS, Cluster


def play(t):
    with Cluster(t, nodes=3) as c:
        def send(k, daemon, sig):
            for pid in c.lab.pids(k, f"stockade-{daemon}"):
                os.kill(pid, sig)
        c.wait_ready()
        run = c.wait_server()
        for d in DAEMONS:
            for k in (run.node, run.node % 3 + 1):
                send(k, d, signal.SIGSTOP)
                time.sleep(1.5)
                t.equal(c.server(), run.node, f"who serves while {d} of n{k} stands still")
                send(k, d, signal.SIGCONT)
            c.wait_ready()
        t.equal(c.offs(), [], "calls to switch off")
        rest = [k for k in c.nodes if k != run.node]
        for d in DAEMONS:
            send(rest[0], d, signal.SIGSTOP)
        c.lab.powercut(run.node)
        time.sleep(3)
        for d in DAEMONS:
            send(rest[0], d, signal.SIGCONT)
        t0 = time.monotonic()
        before, after, gap = c.handover(run, nodes=rest, seconds=30)
        c.off_between(before, after)
        t.say(f"power cut beside a node whose daemons stood still for 3 s: served {max(0, after.first - t0):.2f} s after they went on")
        c.never_two_writers()
