# SPDX-License-Identifier: GPL-3.0-or-later
"""dlmd stopped in order and started again, on the server and beside it: the service never stops, nobody is fenced.

Method: SIGTERM of dlmd on each node in turn, away for three seconds, then of all three at once; meanwhile a relocation has
to wait or to succeed, never to make two writers; at the end the volume's lock moves with the service as ever.
"""
import time

from cluster import Cluster
from scene import until


def holder(c, k):
    """Who holds the lock of the volume, as dlmd on @k says: [(node, state)]."""
    return [(x["node"], x["state"]) for x in c.ask(k, "dlmd", cmd="locks").get("locks", []) if x["resource"] == "volume:data"]


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        run = c.wait_server()
        others = [k for k in c.nodes if k != run.node]
        for group in ([run.node], [others[0]], list(c.nodes)):
            for k in group:
                t.equal(c.lab.stop(k, "dlmd")["status"], 0, f"exit status of dlmd on n{k}")
            time.sleep(3)
            for k in group:
                c.lab.start(k, "dlmd")
            c.wait_ready()
            for k in c.nodes:
                until(lambda: holder(c, k) == [(f"n{run.node}", "granted")],
                      f"dlmd of n{k} to know the holder after {group} left: {holder(c, k)}", 10)
            now = c.writers()
            t.equal([r.token for r in now], [run.token], f"runs of the recorder after dlmd of {group} was away")
            t.check(c.server() == run.node, f"nobody writes after dlmd of {group} was away")
        t.say(f"one run, {now[-1].lines} records in {now[-1].last - now[-1].first:.1f} s, dlmd away three times")
        c.command(others[0], cmd="service", name="rec", action="relocate", node=f"n{others[0]}")
        _, after, _ = c.handover(run, nodes=[others[0]])
        until(lambda: holder(c, run.node) == [(f"n{others[0]}", "granted")], "the lock to move with the service", 10)
        t.equal(c.offs(), [], "calls to switch off")
        c.never_two_writers()
