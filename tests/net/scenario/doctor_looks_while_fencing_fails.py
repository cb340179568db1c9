# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence looks while a fencing fails, which is when one wants to know; and is never in the way of a stock fence_xvm.

Method: three nodes, one of them frozen and to be fenced while nobody reaches the switch; by an agent of another name, then by one that is called as the
stock fence_xvm is.
"""
from cluster import Cluster
from scene import built, until

OLD = "/etc/stockade/fence_xvm"


def play(t):
    for name, own in (("another agent", False), ("the stock fence_xvm", True)):
        agent = built("fence_agents/dummy/fence_dummy")
        fence = {k: f"[{{{'old' if own else 'switch'}: n{k}}}]" for k in (1, 2, 3)}
        with Cluster(t, nodes=3, serve=False, boot=[], fence=fence,
                     devices=(f"old: {{agent: {OLD}, socket: /run/lab/node/power, timeout: \"3\"}}",)) as c:
            for k in c.nodes:
                c.lab.put(k, OLD, f"#!/bin/sh\nexec {agent} \"$@\"\n", 0o755)
                c.lab.boot(k)
            c.wait_ready(seconds=30)
            for k in (1, 2):
                c.lab.reach(k, "silent")
            def look(before=lambda: None, c=c, name=name):
                """What n1 says when it has looked; @before: while it looks."""
                run = c.ask(1, "fenced", cmd="doctor")["run"]

                def of_n1():
                    return next(n for n in c.ask(1, "fenced", cmd="doctor", run=run)["nodes"] if n["node"] == "n1")
                until(lambda: of_n1()["state"] in ("running", "done"), f"{name}: n1 to look", 10, 0.01)
                before()
                return until(lambda: (n := of_n1())["state"] == "done" and n, f"{name}: n1 to be done", 20)
            told = look(lambda c=c: c.lab.freeze(3))
            # Frozen, n3 is a victim until the switch is in reach. A readiness check may have gone before the first attempt; the
            # next ones come again and again.
            for _ in range(6):
                if not own or told["error"]:
                    break
                told = look()
            if own:
                t.check("broken off: a node had to be fenced" in (told["error"] or ""), f"{name}: made way: {told}")
            else:
                t.equal((told["error"], told["done"]), (None, 2), f"{name}: looked to the end")
            for k in (1, 2):
                c.lab.reach(k, "yes")
            until(lambda c=c: c.lab.events("off", node=3), f"{name}: n3 off", 30)
            t.say(f"{name}: {told['error'] or 'looked to the end'}")
