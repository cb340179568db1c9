# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel panic on the serving node: it is powered off, only then the other writes, and the page is back."""
from cluster import Cluster


def play(t):
    c = Cluster(t, record=True)
    first = c.server()  # whoever of the two was alone and quorate first
    other = "node2" if first == "node1" else "node1"
    at = c.lab.node(first).crash()
    ev = c.lab.wait_event(first, "Crashed", since=at, timeout=30)
    off = c.fenced_at(first, at)
    served = c.wait_served(other, since=at)
    t.say(f"          panic seen by libvirt {ev['mono'] - at:.2f} s, powered off {off - at:.2f} s, "
          f"first record by {other} {served[1] - at:.2f} s after sysrq-c; client: {c.downtime():.2f} s")
    c.check_one_writer([first, other])
    t.check(c.runs()[1][1] > off, f"SAFE-1: {other} wrote {c.runs()[1][1] - off:+.2f} s relative to {first}'s power off")
    t.check(other in {s["initiator"].rpartition(":")[2] for s in c.lab.iscsi_sessions()}, f"the target has {other}'s session")
    with t.step(f"{first} boots again, rejoins, and the service stays"):
        t.until(lambda: c.seen(other, first).get("state") == "member", 120, f"{first} is a member again", 0.5)
    t.equal(c.server(), other, "failback: false keeps the service where it is")
    c.check_one_writer([first, other])
    c.finish()
    c.replay()
