# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping and starting all daemons node by node, corosync too, moves the service and fences nobody.

Method: orderly stop in reverse order, as systemd does; each node comes back before the next goes.
"""
from cluster import DAEMONS, Cluster


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        c.wait_server()
        for k in c.nodes:
            run = c.wait_server()
            for name in (*reversed(DAEMONS), "corosync"):
                said = c.lab.stop(k, name)
                t.equal(said["status"], 0, f"exit status of {name} on n{k}")
            if run.node == k:
                _, run, gap = c.handover(run)
                t.say(f"n{k} stopped: n{run.node} serves after {gap:.2f} s")
            for name in ("corosync", *DAEMONS):
                c.lab.start(k, name)
            c.wait_ready()
        t.equal(c.offs(), [], "calls to switch off")
        t.equal(c.lab.events("off"), [], "nodes that went off")
        c.never_two_writers()
