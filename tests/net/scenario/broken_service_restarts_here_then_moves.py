# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that dies is started again on its node; when it keeps dying it moves to another, and nobody is fenced.

Method: SIGKILL of the recorder again and again; monitor every second.
"""
import os
import signal

from cluster import Cluster
from scene import until

SERVICE = "  rec: {restarts: 2, resources: [{volume: data}, {script: /etc/stockade/recorder, monitor: 1s}]}"


def play(t):
    with Cluster(t, nodes=3, services=SERVICE) as c:
        c.wait_ready()
        first = run = c.wait_server()
        here = 0
        while run.node == first.node and here < 6:
            c.wait_service(run.node, "running")      # a kill during the start is a start that failed
            recorder = until(lambda: c.lab.exec(run.node, "cat", "/run/recorder-rec.pid").out.strip(), "the recorder")
            c.lab.exec(run.node, "kill", "-9", recorder)
            _, run, gap = c.handover(run)
            t.say(f"killed: runs on n{run.node} after {gap:.2f} s")
            here += run.node == first.node
        t.check(1 <= here <= 3, f"started again {here} times on the same node, restarts is 2")
        t.check(run.node != first.node, "it never moved")
        t.equal(c.offs(), [], "calls to switch off")
        c.never_two_writers()
