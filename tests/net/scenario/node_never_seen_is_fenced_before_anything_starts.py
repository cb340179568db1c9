# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that was never seen since the start is a victim after post_join; only then does the other serve (SAFE-1).

Method: two nodes, wait_for_all 0, n2's power is on but its corosync never starts: n1 is quorate alone.
"""
import time

import netlab
from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=2, wait_for_all=0, extra="post_join: 5s\n", boot=[1, 2]) as c:
        c.wait_ready()
        c.prepare()
        c.wait_server()
        # both go, n2 as one that nobody will see: its kernel runs, with nothing in it
        c.lab.powercut(2)
        c.lab.powercut(1)
        c.lab.order("services", node=2, services=[])
        runs = len(c.writers())
        c.lab.boot(2)
        c.lab.boot(1)
        t0 = time.monotonic()
        c.lab.wait_members(1, (1,), True)
        quorate = time.monotonic() - t0
        off = until(lambda: [e for e in c.lab.events("off", node=2) if e["t"] > t0], "n2 to be fenced", 20)[0]
        t.check(off["t"] - t0 >= quorate + 4.5 - 1, f"fenced {off['t'] - t0:.2f} s after the start, post_join is 5 s")
        after = until(lambda: c.writers()[runs:], "the service on n1", 20)[0]
        t.check(after.node == 1 and after.first > off["t"], f"n{after.node} served before the proof")
        t.say(f"quorate {quorate:.2f} s after boot, never seen peer off at {off['t'] - t0:.2f} s, served at {after.first - t0:.2f} s")
        c.never_two_writers()
