# SPDX-License-Identifier: GPL-3.0-or-later
"""A node with `unfence:` switches its own device on before it joins, stays out until that works, and nobody else does it.

Method: n1 does not reach the switch: n1 stays out of the group, the other two serve; then it works and n1 joins. After n1 is
fenced, the actor does not switch it on again (fence_action: reboot notwithstanding).
"""
import time

from cluster import Cluster
from scene import until


def play(t):
    unfence = {k: "{switch: n%d}" % k for k in (1, 2, 3)}
    with Cluster(t, nodes=3, unfence=unfence, boot=[]) as c:
        c.lab.reach(1, "refused")
        for k in (1, 2, 3):
            c.lab.boot(k)
        until(lambda: c.seen(2, 3).get("state") == "member", "the other two are members", 20)
        time.sleep(2)
        t.check(c.seen(2, 1).get("state") in ("unknown", "absent"), f"n1 is out: {c.seen(2, 1).get('state')}")
        why = c.why(1, "", "cluster", daemon="fenced")
        t.check(why and "unfence" in why[0]["text"], f"why says so: {why}")
        c.lab.reach(1, "yes")
        until(lambda: c.seen(2, 1).get("state") == "member", "n1 joins once its device is on", 20)
        t.check(all(e["plug"] == f"n{e['actor']}" for e in c.lab.calls(action="on")), "each asked for itself only")

        c.prepare()
        c.wait_ready()
        t0 = time.monotonic()
        c.lab.freeze(1)
        until(lambda: c.lab.node(1)["power"] == "off", "n1 is fenced", 20)
        until(lambda: c.seen(2, 1).get("proof"), "the proof", 10)
        time.sleep(2)
        t.equal([e for e in c.lab.calls(action="on") if e["t"] > t0], [], "who switched n1 on again")
