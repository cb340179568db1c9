# SPDX-License-Identifier: GPL-3.0-or-later
"""A manual acknowledgement is refused while any channel shows the victim alive, and honoured when it is dead (SAFE-5).

Method: cut the server's network while the switch cannot switch off but tells the status; ack must be refused. Cut its
power: ack is taken and the service moves.
"""
from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        first = c.wait_server()
        rest = [k for k in c.nodes if k != first.node]

        def ack(**more):
            return c.ask(rest[0], "fenced", timeout=15, cmd="ack", node=f"n{first.node}", force=False, reason=None, **more)
        early = ack()
        t.check(not early["ok"] and early["code"] == "refused", f"ack of a healthy member: {early}")
        c.lab.fault("fail", action="off")
        c.lab.unplug(first.node)
        until(lambda: c.seen(rest[0], first.node).get("state") == "victim", "a victim", 15)
        # first by the heartbeat that still moves; when that has stopped, by the switch that says on
        channels = []

        def refused_by(channel):
            r = ack()
            t.check(not r["ok"] and r["code"] == "refused" and r.get("alive"), f"ack of a running victim: {r}")
            for a in r["alive"]:
                if a["channel"] not in channels:
                    channels.append(a["channel"])
                    t.say(f"refused: {a['channel']}: {a['text']}")
            return channel in [a["channel"] for a in r["alive"]]
        until(lambda: refused_by("device"), "ack to be refused because the switch says on", 20, 0.1)
        c.stays_with(first, 1)
        c.lab.powercut(first.node)

        def taken():
            last.update(ack())
            return last["ok"]
        last = {}
        until(taken, "ack of a dead victim", 10, 0.2)
        _, after, _ = c.handover(first, nodes=rest)
        t.say(f"taken when it was off; n{after.node} serves")
        c.never_two_writers()
