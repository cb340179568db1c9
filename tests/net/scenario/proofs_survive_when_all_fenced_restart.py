# SPDX-License-Identifier: GPL-3.0-or-later
"""When every fenced restarts at once, the proof of a dead node is kept, and it is not fenced again (same boot, same ring).

Method: a node that cannot be switched on again after fencing; then SIGKILL to the fenced of both others.
"""
import os
import signal
import time

from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=3, serve=False) as c:
        c.wait_ready()
        c.lab.fault("fail", action="on")
        c.lab.powercut(3)
        for k in (1, 2):
            until(lambda k=k: c.seen(k, 3).get("state") == "dead", f"a proof on n{k}", 20)
        number = c.seen(1, 3)["proof"]["number"]
        calls = len(c.lab.calls(action="off"))
        began = time.monotonic()
        starts = {k: c.lab.init(k, "status")["fenced"]["starts"] for k in (1, 2)}
        pids = [pid for k in (1, 2) for pid in c.lab.pids(k, "stockade-fenced") or c.lab.pids(k, "lt-stockade-fenced")]
        t.equal(len(pids), 2, "processes of fenced")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for k in (1, 2):
            until(lambda k=k: c.lab.init(k, "status")["fenced"]["starts"] > starts[k], f"a restart on n{k}", 10)
        for k in (1, 2):
            until(lambda k=k: c.status(k, "fenced").get("informed"), f"fenced of n{k} is informed again", 20)
            seen = c.seen(k, 3)
            t.equal((seen["state"], seen["proof"]["kind"]), ("dead", "off_verified"), f"n3 as n{k} sees it")
        t.say(f"informed again {time.monotonic() - began:.2f} s after both were killed; proof {number} is kept")
        time.sleep(1)
        t.equal(len(c.lab.calls(action="off")), calls, "calls of off")
