# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL of fenced, dlmd, storaged on the serving node: restarted, they find their place; the service never stops.

Method: one after the other on the server, then all three at once; the recorder's run must stay the same, nobody is fenced.
"""
import os
import signal
import time

from cluster import DAEMONS, Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        run = c.wait_server()
        for victims in (("fenced",), ("dlmd",), ("storaged",), DAEMONS):
            pids = {}
            for d in victims:
                pids[d] = c.status(run.node, d)["pid"]
            inits = c.lab.init(run.node, "status")
            t0 = time.monotonic()
            for d in victims:
                found = c.lab.pids(run.node, f"stockade-{d}") or c.lab.pids(run.node, f"lt-stockade-{d}")
                t.check(found, f"no process of {d}")
                for pid in found:
                    os.kill(pid, signal.SIGKILL)
            until(lambda: all(c.lab.init(run.node, "status")[d]["starts"] > inits[d]["starts"] for d in victims),
                  f"restart of {victims}", 10)
            c.wait_ready()
            until(lambda: (c.service(run.node).get("state"), c.service(run.node).get("node")) == ("running", f"n{run.node}"),
                  f"storaged to find its service running after {victims} died", 20, 0.05)
            t.say(f"SIGKILL of {', '.join(victims)}: all well after {time.monotonic() - t0:.2f} s")
            time.sleep(1)
            now = c.writers()
            t.equal([r.token for r in now], [run.token], f"runs of the recorder after {victims} died")
            t.check(c.server() == run.node, f"nobody writes after {victims} died")
        gaps = now[-1].last - now[-1].first
        t.equal(c.offs(), [], "calls to switch off")
        t.say(f"one run, {now[-1].lines} records in {gaps:.1f} s")
