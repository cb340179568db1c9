# SPDX-License-Identifier: GPL-3.0-or-later
"""While one node has another configuration nothing is started, why names that node; what runs goes on undisturbed.

Method: n3 of three starts with another configuration; mended and restarted, the service starts. Then n3 differs
again while n1 or n2 serves.
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
    with Cluster(t, nodes=3, conf={3: other}) as c:
        until(lambda: all(len((c.status(k, "storaged").get("view") or {}).get("members", [])) == 3 for k in c.nodes),
              "storaged of all nodes in one view", 20)
        time.sleep(2)
        t.equal(c.writers(), [], "who wrote while the configurations differ")
        for k in (1, 2):
            words = " ".join(x["text"] for x in c.why(k, "rec", "service"))
            t.check("n3" in words and "config" in words, f"why on n{k} does not name n3's configuration: {words}")
        t.say(f"why: {words}")
        c.lab.put(3, "/etc/stockade/stockade.yaml", yaml(3))
        restart(c, 3)
        run = c.wait_server()
        if run.node == 3:
            c.command(1, cmd="service", name="rec", action="relocate", node="n1")
            _, run, _ = c.handover(run, nodes=[1])
        c.wait_ready()
        c.lab.put(3, "/etc/stockade/stockade.yaml", other)
        restart(c, 3)
        time.sleep(3)
        t.equal(c.server(), run.node, "who serves while n3 differs")
        t.equal(c.run_of(run.token), c.writers()[-1], "the last run")
        c.lab.put(3, "/etc/stockade/stockade.yaml", yaml(3))
        restart(c, 3)
        c.wait_ready()
        t.equal(c.offs(), [], "calls to switch off")
        c.never_two_writers()
