# SPDX-License-Identifier: GPL-3.0-or-later
"""With failback: true the service returns to its first node when that is back and healthy, and nobody is fenced for it."""
from cluster import Cluster, config


def play(t):
    c = Cluster(t, conf=config(domain="{nodes: [node1, node2], ordered: true, restricted: true, failback: true}"))
    t.until(lambda: c.server() == "node1", 60, "the domain prefers node1, also where node2 was alone and quorate first")
    before = [r[0] for r in c.runs()]
    at = c.lab.node(1).crash()
    off = c.fenced_at("node1", at)
    c.wait_served("node2", since=at)
    with t.step("node1 boots, rejoins and gets its service back"):
        c.wait_served("node1", since=off, timeout=180)
    later = [ev["text"] for ev in c.lab.events() if ev["mono"] > off and "Stopped" in ev["text"]]
    t.equal(later, [], "power-offs after the first")
    c.check_one_writer([*before, "node2", "node1"])
    c.finish()
