# SPDX-License-Identifier: GPL-3.0-or-later
"""A cut between two nodes leaves exactly one, the one that serves, and its service does not even pause (SAFE-4).

Goal: no fence race, no shoot-out. Method: ten cuts (STOCKADE_CUTS; for 100 of them STOCKADE_TIME_LIMIT=900) at random
moments; after each, the server still runs the same recorder, the other was switched off once, by the server.
"""
import os
import random
import time

from cluster import Cluster
from scene import until


def play(t):
    cuts = int(os.environ.get("STOCKADE_CUTS") or 10)
    with Cluster(t, nodes=2) as c:
        c.wait_ready()
        run = c.wait_server()
        other = 3 - run.node
        took = []
        for n in range(cuts):
            time.sleep(random.random() * 0.5)
            t0 = time.monotonic()
            c.lab.cut(1, 2)
            off = until(lambda: [e for e in c.lab.events("off") if e["t"] > t0], f"cut {n}: one node to be switched off")[0]
            took.append(off["t"] - t0)
            t.equal((off["node"], off["by"]), (other, f"agent on n{run.node}"), f"cut {n}: who was switched off, by whom")
            time.sleep(0.3)
            t.equal(c.server(), run.node, f"cut {n}: who serves afterwards")
            c.lab.heal()
            c.wait_ready()
        c.never_two_writers()
        t.equal([r.token for r in c.writers()], [run.token], f"runs of the recorder in {cuts} cuts")
        t.equal(len(c.lab.events("off")), cuts, f"switch-offs in {cuts} cuts")
        t.say(f"{cuts} cuts: the other node was off after {min(took):.2f} / {sorted(took)[cuts // 2]:.2f} / {max(took):.2f} s")
