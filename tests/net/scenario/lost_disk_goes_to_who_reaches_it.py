# SPDX-License-Identifier: GPL-3.0-or-later
"""A node whose disk falls silent gives its service to one that reaches it; nobody is fenced; a short silence, or one for all, moves nothing.

Goal: by its own I/O each node knows, and tells, whether it reaches the disk (STORE-9, SAFE-1). Method: SIGSTOP of the process that writes, or
reads, the heartbeats: I/O that does not come back (detect 5 s: who lets go has 15 s for it, also on a busy machine); on the standby node the file that plays the disk is covered, too, so that nothing else reads it.
"""
import os
import signal
import time

from cluster import DISK, Cluster
from scene import until


def beats(c, k, sig):
    for pid in until(lambda: c.lab.pids(k, "storaged-beat"), f"a heartbeat process on n{k}", 10):
        os.kill(pid, sig)


def reach(c, by, of):
    return next((r["state"] for r in c.service(by).get("storage") or [] if r["node"] == f"n{of}"), None)


def both_reach(c):
    until(lambda: reach(c, 1, 2) == "reached" and reach(c, 2, 1) == "reached", "both to reach the disk, and to say so", 60)


def play(t):
    with Cluster(t, nodes=2, detect="5s") as c:
        c.wait_ready()
        run = c.wait_server()
        other = 3 - run.node
        both_reach(c)

        c.lab.exec(other, "mount", "--bind", "/dev/null", f"{DISK}/epoch")
        beats(c, other, signal.SIGSTOP)
        until(lambda: reach(c, run.node, other) == "lost", "the server to know that the other one has lost the disk", 60)
        t.equal(c.status(other, "storaged")["volumes"][0]["reachable"], False, "the other one is ready to take over")
        refused = c.ask(run.node, "storaged", timeout=10, cmd="service", name="rec", action="relocate", node=f"n{other}")
        t.check("does not reach the storage" in str(refused.get("error")), f"a move there is refused: {refused}")
        beats(c, run.node, signal.SIGSTOP)
        said = until(lambda: (s := c.service(run.node)).get("gate") == "storage" and s["why"], "the server to wait for the disk", 60)
        t.check("nobody is fenced" in said and "lost for" in said, f"why: {said}")
        t.equal(c.wait_server().token, run.token, "the run, untouched while nobody reaches the disk")
        # back for the other one first: that the server does not reach it for a moment longer is no reason to move
        c.lab.exec(other, "umount", f"{DISK}/epoch")
        beats(c, other, signal.SIGCONT)
        until(lambda: reach(c, run.node, other) == "reached", "the server to know that the other one reaches the disk", 60)
        said = str(c.service(run.node)["why"])
        t.check("does again" in said, f"why: {said}")
        beats(c, run.node, signal.SIGCONT)
        until(lambda: reach(c, run.node, run.node) == "reached", "the server to reach the disk again", 60)
        both_reach(c)
        t.equal(c.wait_server().token, run.token, "the run, untouched")

        beats(c, run.node, signal.SIGSTOP)
        time.sleep(1)
        beats(c, run.node, signal.SIGCONT)
        both_reach(c)
        t.equal(c.wait_server().token, run.token, "the run after a silence of a second")

        t0 = time.monotonic()
        beats(c, run.node, signal.SIGSTOP)
        before, after, gap = c.handover(run, {other}, seconds=90)
        t.say(f"n{after.node} writes {after.first - t0:.2f} s after the disk of n{before.node} fell silent, {gap:.2f} s without service")
        t.equal(c.offs(), [], "switch-offs")
        for k in (1, 2):
            events = [e["event"] for e in c.ask(k, "storaged", cmd="history", max=200)["entries"]]
            t.check("volume.unreached" in events, f"n{k} remembers that the disk was lost: {events}")
        until(lambda: reach(c, other, before.node) == "reached", "the old server to reach it again", 90)
        c.never_two_writers()
