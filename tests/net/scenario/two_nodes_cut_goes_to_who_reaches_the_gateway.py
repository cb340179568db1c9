# SPDX-License-Identifier: GPL-3.0-or-later
"""The server alone loses the network, gateway too: the other one survives and serves, though the server's disk works (SAFE-4).

Goal: who cannot be reached by clients does not win a cut by serving. Method: unplug the server; its agent's way to the power
switch is not the network, so it could fence: it must leave the turn to the one that still hears the ping target. Then
a cut between the two only: both reach the gateway, and the one that serves stays again.
"""
import time

from cluster import Cluster
from scene import until

GATEWAY = "10.77.0.254"


def offs_since(c, t0):
    return [e for e in c.lab.events("off") if e["t"] > t0]


def play(t):
    with Cluster(t, nodes=2, extra=f"ping: [{GATEWAY}]\n") as c:
        c.wait_ready()
        run = c.wait_server()
        other = 3 - run.node
        for k in (1, 2):
            until(lambda k=k: c.status(k, "fenced").get("gateway", {}).get("sign") == "fresh", f"n{k} to reach the gateway", 10)
        until(lambda: c.seen(other, run.node).get("weight") == 1, "the other to know who serves", 10)
        time.sleep(0.2)
        t0 = time.monotonic()
        c.lab.unplug(run.node)
        until(lambda: c.status(run.node, "fenced").get("gateway", {}).get("sign") == "stale", "the server to miss the gateway", 5)
        off = until(lambda: offs_since(c, t0), "a node to be switched off", 30)[0]
        t.equal((off["node"], off["by"]), (run.node, f"agent on n{other}"), "who was switched off, by whom")
        _, after, gap = c.handover(run, {other})
        t.say(f"server without network: off after {off['t'] - t0:.2f} s, {gap:.2f} s without service")
        # one turn: fence_timeout + 2 x detect = 6 s, and what it takes to see the cut
        t.check(off["t"] - t0 < 9, f"its turn is the next one after the server's: off after {off['t'] - t0:.2f} s")
        c.lab.plug(run.node)
        c.wait_ready()
        t.equal(len(offs_since(c, t0)), 1, "switch-offs of the first cut")

        until(lambda: c.seen(run.node, other).get("weight") == 1, "the other to know who serves", 10)
        time.sleep(0.2)
        t1 = time.monotonic()
        c.lab.cut(1, 2)
        off = until(lambda: offs_since(c, t1), "a node to be switched off", 30)[0]
        t.equal((off["node"], off["by"]), (run.node, f"agent on n{other}"), "both reach the gateway: who was switched off, by whom")
        c.lab.heal()
        c.wait_ready()
        t.equal(c.run_of(after.token).node, c.server(), "who serves in the end")
        t.equal(len(offs_since(c, t1)), 1, "switch-offs of the second cut")
        c.never_two_writers()
