# SPDX-License-Identifier: GPL-3.0-or-later
"""One direction of one cable, or one pair of three that do not hear each other: one writer, and it is served again (SAFE-1).

Method: every one-way cut from and to the server, and the cut of each pair, each for some seconds, then healed.
"""
import time

from cluster import Cluster


def play(t):
    with Cluster(t, nodes=3) as c:
        for kind in ("from the server", "to the server", "server and one", "the two others"):
            c.wait_ready(seconds=40)
            run = c.wait_server(seconds=40)
            a, b = [k for k in c.nodes if k != run.node]
            offs = len(c.lab.events("off"))
            if kind == "from the server":
                c.lab.cut1(run.node, a)
            elif kind == "to the server":
                c.lab.cut1(a, run.node)
            elif kind == "server and one":
                c.lab.cut(run.node, a)
            else:
                c.lab.cut(a, b)
            time.sleep(5)
            c.lab.heal()
            now = c.wait_server(seconds=40)
            c.never_two_writers()
            t.say(f"cut {kind}: {len(c.lab.events('off')) - offs} switch-offs, "
                  + ("the server went on" if now.token == run.token else f"n{now.node} took over"))
        c.wait_ready(seconds=40)
