# SPDX-License-Identifier: GPL-3.0-or-later
"""While one node has another configuration nothing is started, why names that node; what runs goes on undisturbed.

Method: n3 of three is restarted with another configuration while n1 serves; then all three boot anew like that; then
n3's is mended.
"""
import time

from cluster import DAEMONS, Cluster, yaml
from scene import until


def restart(c, k):
    for name in reversed(DAEMONS):
        c.lab.stop(k, name)
    for name in DAEMONS:
        c.lab.start(k, name)


def play(t):
    other = yaml(3, fence_timeout="5s")
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        run = c.wait_server()
        if run.node != 1:
            c.command(1, cmd="service", name="rec", action="relocate", node="n1")
            _, run, _ = c.handover(run, nodes=[1])
        c.lab.put(3, "/etc/stockade/stockade.yaml", other)
        restart(c, 3)
        time.sleep(3)
        t.equal(c.server(), 1, "who serves while n3 differs")
        t.equal(c.writers()[-1].token, run.token, "the run while n3 differs")

        for k in (3, 2, 1):
            c.lab.shutdown(k)
        t.equal(c.offs(), [], "calls to switch off in an orderly shutdown")
        runs = len(c.writers())
        for k in c.nodes:
            c.lab.boot(k)
        c.wait_storaged()
        time.sleep(2)
        t.equal(len(c.writers()), runs, "runs of the recorder while the configurations differ")
        for k in (1, 2):
            words = " ".join(x["text"] for x in c.why(k, "rec", "service"))
            t.check("n3" in words and "config" in words, f"why on n{k} does not name n3's configuration: {words}")
        t.say(f"why: {words}")
        c.lab.put(3, "/etc/stockade/stockade.yaml", yaml(3))
        restart(c, 3)
        c.wait_server()
        t.check(len(c.writers()) > runs, "the old run is taken for a new one")
        t.equal(c.offs(), [], "calls to switch off")
        c.never_two_writers()
