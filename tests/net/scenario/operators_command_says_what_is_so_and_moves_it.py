# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade, with real daemons: status, why and history are true, orders are carried out before it returns, exit codes hold.

Method: relocate and wait; power cut while the switch is out of reach, then back; what the command says against the disk.
"""
import json
import statistics
import time

from cluster import Cluster
from scene import built, until


def play(t):
    with Cluster(t, nodes=2) as c:
        program = built("tools/stockade")

        def cli(k, *args, timeout=60):
            begin = time.monotonic()
            got = c.lab.exec(k, program, *args, timeout=timeout)
            return got.rc, got.out, got.err, (time.monotonic() - begin) * 1000

        c.wait_ready()
        run = c.wait_server()
        until(lambda: cli(run.node, "status")[0] == 0, "status to say that all is well", 20)
        took = [cli(k, "status")[3] for k in c.nodes * 6]
        t.say(f"status: {min(took):.0f}/{statistics.median(took):.0f}/{max(took):.0f} ms with nsenter and a shell")
        for k in c.nodes:
            said = json.loads(cli(k, "status", "--json")[1])
            t.check(said["ok"] and said["problems"] == [], f"n{k} is not well: {said['problems']}")
            t.equal([(s["state"], s["node"]) for s in said["storaged"]["services"]], [("running", f"n{run.node}")],
                    f"the service as n{k} sees it")
        rc, out, err, _ = cli(1, "check", "--quiet")
        t.equal(rc, 0, f"check on a healthy node says {out} {err}; exit code")

        other = 3 - run.node
        rc, out, err, ms = cli(run.node, "service", "relocate", "rec", f"n{other}")
        t.equal(rc, 0, f"relocate says {out} {err}; exit code")
        t.equal(c.wait_server().node, other, "who writes when relocate returned")
        t.say(f"relocate: {ms:.0f} ms")
        rc, _, err, _ = cli(1, "ack", f"n{other}")
        t.equal(rc, 4, f"ack of a living node says {err}; exit code")
        t.equal(cli(1, "service", "enable", "nothing")[0], 2, "exit code for an unknown service")

        run, rest = c.wait_server(), 3 - other
        rc, out, err, _ = cli(rest, "fence", f"n{run.node}", "--reason", "it serves", "--timeout", "30s")
        t.equal(rc, 0, f"fence of who serves says {out} {err}; exit code")
        t.check(f"n{run.node} serves rec" in out, f"fence does not say what it hits: {out}")
        c.handover(run, nodes=[rest])
        until(lambda: cli(rest, "status")[0] == 0, "all to be well again after the fencing", 30)
        run, rest = c.wait_server(), run.node
        c.lab.reach(rest, "refused")
        c.lab.powercut(run.node)
        until(lambda: "switch" in cli(rest, "why", "rec")[1], "why to name the switch", 30)
        rc, out, _, _ = cli(rest, "why", "rec")
        t.say("why: " + " | ".join(out.split("\n")))
        t.check(rc == 0 and f"n{run.node}" in out, f"why does not name the victim: {out}")
        t.equal(cli(rest, "status")[0], 5, "exit code of status while fencing fails")
        c.stays_with(run, 0.5)
        c.lab.reach(rest, "yes")
        c.handover(run, nodes=[rest])

        def story():
            entries = json.loads(cli(rest, "history", "--json", "-n", "500")[1])["entries"]
            events = [e["event"] for e in entries if e.get("victim") == f"n{run.node}" or e.get("service") == "rec"]
            proof = len(events) - 1 - events[::-1].index("fence.proof")
            return "fence.fail" in events[:proof] and "service.running" in events[proof:]
        until(story, "history to tell failure, proof and service in this order", 10, 0.2)
        until(lambda: cli(rest, "status")[0] == 0, "all to be well again once the node is back", 30)
        c.never_two_writers()
