# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned move there and back: nobody is fenced, the outage is stop + start, no record is lost."""
import time

from cluster import Cluster


def play(t):
    c = Cluster(t)
    first, other = c.server(), "node2" if c.server() == "node1" else "node1"
    at = time.monotonic()
    for to in (other, first):
        before = time.monotonic()
        with t.step(f"relocated to {to}"):
            c.command(first, "service", "relocate", "web", to, timeout=120)
            served = c.wait_served(to, since=before)
        outages = [b - a for a, b in c.probe.outages() if b and b > before]
        t.say(f"          client: {max(outages, default=0.0):.2f} s without service; "
              f"record by {to} {served[1] - before:.2f} s after the request")
    t.equal([ev["text"] for ev in c.lab.events() if ev["mono"] > at and "lifecycle" in ev["text"]], [],
            "what the hypervisor saw of a planned move")
    c.check_one_writer([first, other, first])
    c.finish()
