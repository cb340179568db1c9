# SPDX-License-Identifier: GPL-3.0-or-later
"""The serving node loses its power: proven off, the other serves, and the fence device switches it on again."""
import time

from cluster import Cluster


def play(t):
    c = Cluster(t)
    first, other = c.server(), "node2" if c.server() == "node1" else "node1"
    at = time.monotonic()
    c.lab.node(first).poweroff()
    served = c.wait_served(other, since=at)
    proof = c.seen(other, first).get("proof") or {}
    t.equal(proof.get("kind"), "off_verified", f"kind of the proof that {other} acted on: {proof}")
    t.say(f"          first record by {other} {served[1] - at:.2f} s after the plug; proof: {proof.get('evidence')}")
    ev = c.lab.wait_event(first, "Started", since=at, timeout=60)
    t.check(ev["mono"] > at, "switched on again")
    c.check_one_writer([first, other])
    with t.step(f"{first} boots and rejoins"):
        t.until(lambda: c.seen(other, first).get("state") == "member", 120, f"{first} is a member again", 0.5)
    c.check_one_writer([first, other])
    c.finish()
