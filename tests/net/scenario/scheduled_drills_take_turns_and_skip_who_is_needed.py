# SPDX-License-Identifier: GPL-3.0-or-later
"""What stockade-drill.timer does, every two seconds on all nodes: one drill at a time, of each node in turn, none of who is needed.

Method: three nodes run the timer's command at the same moments. In the first part all is well: each node is drilled, by its
device, no two lives end at a time, and the service is always somewhere. Then no node but the server may run the service: it
is skipped, and the history says why; drills of the others go on.
"""
import threading
import time

import netlab
from cluster import Cluster
from scene import built, until


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        c.wait_server()
        said, stop = [], threading.Event()

        def timer(k):
            while not stop.is_set():
                try:
                    r = c.lab.exec(k, built("tools/stockade"), "fence", "--drill", "--next", "--min-age", "5s", "--yes", "--reason",
                                   "scheduled drill", "--timeout", "30s", timeout=45)
                    said.append((k, r.rc, r.out, r.err))
                except (OSError, netlab.LabError):
                    pass                         # its node is off
                stop.wait(2)

        def offs(since):
            return [(e["t"], e["node"], e["by"]) for e in c.lab.events("off") if e["t"] > since]

        def boots(since):
            return [(e["t"], e["node"]) for e in c.lab.events("on") if e["t"] > since]

        t0 = time.monotonic()
        clocks = [threading.Thread(target=timer, args=(k,)) for k in c.nodes]
        for x in clocks:
            x.start()
        try:
            until(lambda: {n for _, n, _ in offs(t0)} == {1, 2, 3} and len(offs(t0)) >= 4, "four drills, of all three nodes", 90)
            until(lambda: c.server() is not None, "the service runs", 20)
            took = time.monotonic() - t0
            ends = offs(t0)
            t.check(all(by.startswith("agent on") for _, _, by in ends), f"all by the device: {ends}")
            nodes = [n for _, n, _ in ends]
            t.equal(nodes[:3], [1, 2, 3], "in turn")
            for (at, n, _), (later, other, _) in zip(ends, ends[1:]):
                t.check(n != other and any(at < b < later and m == n for b, m in boots(t0)),
                        f"n{other} was switched off at {later:.1f}, and n{n}, off since {at:.1f}, was not back: {boots(t0)}")
            done = [(k, rc, err) for k, rc, out, err in said if "is to be fenced" in out]
            t.check(done and all(rc == 0 for _, rc, _ in done), f"each drill that was begun ended well: {done}")
            t.say(f"{len(ends)} drills in {took:.1f} s by {len(said)} calls")

            # Now the server is needed: nobody else may run the service.
            stop.set()
            for x in clocks:
                x.join(50)
            t.check(not any(x.is_alive() for x in clocks), f"every command ends: {said}")
            until(lambda: all(n["state"] == "online" and not n["standby"] for k in c.nodes
                              for n in c.status(k, "storaged").get("nodes", [{"state": "?"}])), "all nodes are whole again", 30)
            run = c.wait_server(seconds=30)
            others = [k for k in c.nodes if k != run.node]
            for k in others:
                c.command(run.node, cmd="node", name=f"n{k}", action="standby")
            c.wait_ready(seconds=30)
            number = len(c.lab.events("off"))
            r = c.lab.exec(others[0], built("tools/stockade"), "fence", "--drill", f"n{run.node}", "--yes", "--reason", "test", timeout=60)
            t.check(r.rc == 4 and "it is the last node able to serve rec" in r.err and "to do:" in r.err, f"a needed node: {r}")
            t.equal(len(c.lab.events("off")), number, "switch-offs")
            t.equal(c.server(), run.node, "who serves")
            told = [e for e in c.ask(others[0], "fenced", cmd="history", max=500)["entries"] if e["event"] == "fence.drill"]
            t.check(told[-1]["step"] == "skipped" and "last node able to serve rec" in told[-1]["reason"], f"the history: {told[-1]}")
            t.check(not c.service(run.node).get("target"), "it was not even asked to move")
            r = c.lab.exec(run.node, built("tools/stockade"), "fence", "--drill", f"n{others[0]}", "--yes", "--reason", "test", timeout=60)
            t.equal(r.rc, 0, f"a drill of a node in standby: {r.out}{r.err}")
            t.equal(c.server(), run.node, "who serves")
        finally:
            stop.set()
            for x in clocks:
                x.join(50)
        c.never_two_writers()
