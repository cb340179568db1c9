# SPDX-License-Identifier: GPL-3.0-or-later
"""No way to fence: nothing is mounted and `why` names the reason; it goes on as soon as the hypervisor answers."""
import time

from cluster import Cluster


def reason(t, c, node, words):
    """`stockade why web` on @node must name one of @words."""
    def named():
        out = c.stockade(node, "why", "web", check=False).out
        first = (out.splitlines() or ["running"])[0]  # nothing at all: the daemon had no answer yet
        return out if "running" not in first and any(w in out for w in words) else None
    out = t.until(named, 90, f"`why web` names one of {words}: {c.stockade(node, 'why', 'web', check=False).out}", 1)
    for row in out.splitlines()[:8]:
        t.say(f"          | {row}")


def play(t):
    c = Cluster(t, serve=False, fence_virtd=False)
    c.start()
    with t.step("SAFE-6: without a fence path nothing shared is activated"):
        t.until(lambda: c.status(1, "storaged").get("ok"), 60, "storaged of node1 answers")
        c.prepare()  # what waits for a fence path has nothing active: its volume may be prepared
        reason(t, c, 1, ("fence", "1229"))
        time.sleep(10)
        for n in (1, 2):
            t.equal(c.lab.node(n).sh("grep /var/www/html /proc/self/mountinfo", check=False).out, "", f"mounts of node{n}")
            t.equal(c.lab.node(n).run("dmsetup", "ls").out.strip(), "No devices found", f"active volumes of node{n}")
        t.equal(c.runs(), [], "writes to the volume off the wire")
    with t.step("the hypervisor answers: it goes on by itself"):
        at = time.monotonic()
        c.lab.control("start", "fence_virtd")
        c.wait_running(timeout=150)
        t.say(f"          running {time.monotonic() - at:.1f} s after fence_virtd came back")
    c.probe = c.lab.http("http://192.0.2.100/").__enter__()
    c.writer = c.lab.appender().__enter__()
    t.closers.append(c.stop_clients)
    first = c.wait_served()[2]
    other = "node2" if first == "node1" else "node1"

    with t.step("the way breaks while a node crashes: no proof, no takeover (SAFE-1, SAFE-3)"):
        c.lab.control("stop", "fence_virtd")
        at = c.lab.node(first).crash()
        reason(t, c, other, ("proof", "proven", "fence"))
        time.sleep(15)
        c.check_one_writer([first])
        t.equal([a for a in c.writer.acked if a[1] > at + 3], [], "records acknowledged without a proof")
        t.equal(c.lab.node(first).state()[0], "crashed", f"state of {first}")
    with t.step("the hypervisor answers: fenced, taken over"):
        at = time.monotonic()
        c.lab.control("start", "fence_virtd")
        off = c.fenced_at(first, at, timeout=150)
        c.wait_served(other, since=at)
        t.say(f"          off {off - at:.1f} s after fence_virtd came back")
    c.check_one_writer([first, other])
    t.check(c.runs()[1][1] > off, "SAFE-1: nothing was written before the proof")
    c.finish()
