# SPDX-License-Identifier: GPL-3.0-or-later
"""A level that fails gives way to the next; of a method with two devices both must be off, or there is no proof (SAFE-3).

Method: three nodes, level 1 a device that does not answer, level 2 two devices; first one of the two is out of order.
"""
import time

from cluster import Cluster, yaml
from scene import built, until


def play(t):
    agent = built("fence_agents/dummy/fence_dummy")
    uses = "[{dead: n%d}, {switch: n%d, second: n%d}]"
    text = yaml(3, fence={k: uses % (k, k, k) for k in (1, 2, 3)}).replace(
        "volumes:", f'  dead: {{agent: {agent}, socket: /run/lab/node/nothing}}\n'
                    f'  second: {{agent: {agent}, socket: /run/second/power}}\nvolumes:')
    with Cluster(t, nodes=3, conf={1: text, 2: text, 3: text}, serve=False) as c:
        def second(works):
            for k in c.nodes:
                if c.lab.node(k)["power"] == "on":
                    c.lab.exec(k, "sh", "-c", "mkdir -p /run/second; rm -f /run/second/power; " +
                               ("ln -s /run/lab/node/power /run/second/power" if works else ""))
        second(True)
        c.prepare()
        first = c.wait_server(seconds=40)
        until(lambda: all(len(c.seen(k, first.node).get("paths", [])) == 3 for k in c.nodes if k != first.node), "the paths", 10)
        second(False)
        c.lab.powercut(first.node)
        rest = [k for k in c.nodes if k != first.node]
        until(lambda: len(c.lab.calls(action="off", plug=f"n{first.node}")) >= 1, "a switch-off by the device that works", 20)
        c.stays_with(first, 3)
        fencing = c.seen(rest[0], first.node)["fencing"]
        t.check(fencing and "second" in (fencing["error"] or ""), f"the error does not name the device: {fencing}")
        second(True)
        t1 = time.monotonic()
        before, after, _ = c.handover(first, nodes=rest)
        proof = c.seen(after.node, first.node)["proof"]
        t.check("switch" in proof["evidence"] and "second" in proof["evidence"], f"evidence of one device only: {proof}")
        t.say(f"level 1 dead, level 2 with one of two: no proof; with both, served after {after.first - t1:.2f} s: {proof['evidence']}")
        c.never_two_writers()
