# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks through the client library: handover with notice and value block, client crash, dlmd crash, power cut (SAFE-2).

Method: three nodes without a service, a client on each that takes commands. EX of a node whose power is cut is granted
to another only after the machine room has switched that node off for the agent.
"""
import os
import select
import signal
import subprocess
import time

from cluster import Cluster
from scene import Refuted, built, until

NL, PR, EX = 0, 3, 5
NOQUEUE, VALBLK, PERSISTENT, ORPHAN = 0x1, 0x8, 0x80, 0x4000


class Client:
    def __init__(self, c, k):
        self.p = c.lab.spawn(k, built("tests/net/dlmtest"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buf = b""
        self.said = []
        self.wait("ready")

    def read(self, seconds):
        if select.select([self.p.stdout], [], [], max(0, seconds))[0]:
            data = os.read(self.p.stdout.fileno(), 4096)
            if not data:
                raise Refuted(f"the client ended; it said {self.said[-3:]}")
            self.buf += data
            *lines, self.buf = self.buf.split(b"\n")
            self.said += [x.decode() for x in lines]

    def wait(self, begin, seconds=10):
        """Take the next line that begins so, and everything before it; the line."""
        end = time.monotonic() + seconds
        while True:
            for i, line in enumerate(self.said):
                if line.startswith(begin):
                    del self.said[:i + 1]
                    return line
            if time.monotonic() > end:
                raise Refuted(f"waited {seconds} s for '{begin}'; said so far: {self.said}")
            self.read(end - time.monotonic())

    def quiet(self, begin, seconds):
        """For so long nothing is said that begins so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(end - time.monotonic())
            if any(x.startswith(begin) for x in self.said):
                raise Refuted(f"'{begin}' was said: {self.said}")

    def tell(self, *words):
        self.p.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.p.stdin.flush()

    def do(self, *words):
        self.tell(*words)
        end = time.monotonic() + 10
        while True:
            for i, line in enumerate(self.said):
                if line.split()[0] in ("ok", "no"):
                    del self.said[i]
                    return line.split()
            if time.monotonic() > end:
                raise Refuted(f"no answer to {words}")
            self.read(end - time.monotonic())

    def kill(self):
        for pid in children(self.p.pid) + [self.p.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.p.wait()


def children(pid):
    """All processes below a process, deepest first: what enters a node has a wrapper around it."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            below = [int(x) for x in f.read().split()]
    except OSError:
        return []
    return [y for x in below for y in children(x) + [x]]


def play(t):
    with Cluster(t, nodes=3, serve=False) as c:
        c.wait_ready()
        a, b = Client(c, 1), Client(c, 2)

        # handover: the holder is told, the value block travels
        t.equal(a.do("lock", "r", EX, VALBLK)[0], "ok", "EX on n1")
        b.tell("ask", "r", EX, VALBLK)
        b.wait("sent")
        t.equal(a.wait("bast"), f"bast r {EX}", "what n1 was told")
        b.quiet("done", 0.3)
        t0 = time.monotonic()
        t.equal(a.do("unlock", "r", VALBLK, "hello")[0], "ok", "unlock on n1")
        t.equal(b.wait("done"), "done r 0 0 hello", "what n2 was granted")
        t.say(f"EX handed over in {(time.monotonic() - t0) * 1000:.1f} ms")

        # a client that crashes frees its lock, and its value block is not valid
        a.tell("ask", "r", EX, VALBLK)
        a.wait("sent")
        b.wait("bast")
        b.kill()
        t.equal(a.wait("done").split()[:4], ["done", "r", "0", "2"], "n1's grant after the crash of the holder")

        # a PERSISTENT lock outlives dlmd: nobody else gets it, its node takes it up again
        b = Client(c, 2)
        t.equal(b.do("lock", "p", EX, PERSISTENT)[0], "ok", "PERSISTENT EX on n2")
        starts = c.lab.init(2, "status")["dlmd"]["starts"]
        for pid in c.lab.pids(2, "stockade-dlmd") or c.lab.pids(2, "lt-stockade-dlmd"):
            os.kill(pid, signal.SIGKILL)
        b.wait("gone")
        until(lambda: c.lab.init(2, "status")["dlmd"]["starts"] > starts, "dlmd of n2 to start again", 10)
        until(lambda: (c.status(2, "dlmd").get("view") or {}).get("synced"), "dlmd of n2 to be synced", 10, 0.05)
        b = Client(c, 2)
        t.equal(a.do("lock", "p", EX, NOQUEUE)[0], "no", "n1's try for n2's orphan")
        t.equal(b.do("lock", "p", EX, PERSISTENT | ORPHAN)[0], "ok", "n2's adoption of its orphan")

        # power cut: granted to the waiter, but only after the machine room switched the dead node off for an agent
        a.tell("ask", "p", EX, 0)
        a.wait("sent")
        a.quiet("done", 0.2)
        t0 = time.monotonic()
        c.lab.powercut(2)
        t.equal(a.wait("done p", 30).split()[2], "0", "n1's grant after the power cut of n2")
        granted = time.monotonic()
        calls = [e for e in c.lab.events("call", action="off") if e["t"] > t0 and e["plug"] == "n2"]
        t.check(calls and calls[0]["t"] < granted, f"granted at {granted - t0:.2f} s, calls at the switch: {calls} (SAFE-2)")
        t.say(f"lock of n2 granted {granted - t0:.2f} s after its power cut, {granted - calls[0]['t']:.3f} s after the "
              f"agent asked the switch")
        a.kill()
        b.kill()
