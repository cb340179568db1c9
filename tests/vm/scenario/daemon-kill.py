# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGKILL of each daemon on the serving node: it comes back, the service goes on there, and nobody is fenced."""
import time

from cluster import DAEMONS, Cluster


def play(t):
    c = Cluster(t)
    first, other = c.server(), "node2" if c.server() == "node1" else "node1"
    start, runs = time.monotonic(), c.running_since(first)
    for daemon in DAEMONS:
        with t.step(f"SIGKILL stockade-{daemon} on {first}"):
            node = c.lab.node(first)
            old = node.run("systemctl", "show", "-P", "MainPID", f"stockade-{daemon}").out.strip()
            at = time.monotonic()
            node.run("kill", "-KILL", old)

            def back():
                pid = node.run("systemctl", "show", "-P", "MainPID", f"stockade-{daemon}").out.strip()
                return pid not in ("0", old) and c.status(first, daemon).get("ok")
            t.until(back, 30, f"stockade-{daemon} is back", 0.2)
            c.wait_served(first, since=time.monotonic())
            t.until(lambda: c.service(first).get("state") == "running" and c.service(other).get("state") == "running", 60,
                    f"both nodes say that web runs: {c.service(first)} {c.service(other)}", 0.5)
            time.sleep(12)  # longer than a daemon may be absent: a late decision shows itself
            c.wait_served(first, since=time.monotonic())
            gone = max([b - a for a, b in c.probe.outages() if b and b > at], default=0.0)
            t.say(f"          back after at most {time.monotonic() - at - 12:.1f} s; client: {gone:.2f} s without service")
            t.equal(c.running_since(first), runs, "the same process on the same mount")
    t.equal([ev["text"] for ev in c.lab.events() if ev["mono"] > start and "lifecycle" in ev["text"]], [],
            "what the hypervisor saw")
    with t.step("after all that a crash is still taken over"):
        at = c.lab.node(first).crash()
        off = c.fenced_at(first, at)
        c.wait_served(other, since=at)
    c.check_one_writer([first, other])
    t.check(c.runs()[1][1] > off, "SAFE-1: nothing was written before the proof")
    c.finish()
