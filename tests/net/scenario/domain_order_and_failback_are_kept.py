# SPDX-License-Identifier: GPL-3.0-or-later
"""An ordered domain with failback: the first of its nodes serves, the next when it is gone, the first again when it is back.

Method: three nodes, domain n2 then n3, restricted: n1 never serves, even when both are gone.
"""
from cluster import Cluster
from scene import until

SERVICE = "  rec: {domain: pair, resources: [{volume: data}, {script: /etc/stockade/recorder}]}"
DOMAIN = "domains:\n  pair: {nodes: [n2, n3], ordered: true, restricted: true, failback: true}\n"


def play(t):
    with Cluster(t, nodes=3, services=SERVICE, extra=DOMAIN) as c:
        c.wait_ready()
        run = c.wait_server(nodes=[2])
        c.lab.fault("fail", action="on")         # a fenced node stays off: there is time to look
        c.lab.powercut(2)
        before, run, gap = c.handover(run, nodes=[3])
        c.off_between(before, run)
        t.say(f"n3 serves after {gap:.2f} s")
        c.lab.boot(2)
        before, run, gap = c.handover(run, nodes=[2], seconds=40)
        t.say(f"failback to n2 with a pause of {gap:.2f} s")
        c.wait_ready()
        for k in (2, 3):
            c.command(1, cmd="node", name=f"n{k}", action="standby")
        until(lambda: c.server() is None, "nobody to serve", 20)
        c.stays_with(c.writers()[-1], 1.5)
        c.command(1, cmd="node", name="n3", action="unstandby")
        c.wait_server(nodes=[3], but=run.token)
        c.never_two_writers()
