# SPDX-License-Identifier: GPL-3.0-or-later
"""The serving node stands still: without a proof nobody takes over; with one, the sleeper never writes another block."""
import time

from cluster import Cluster


def play(t):
    c = Cluster(t)
    first, other = c.server(), "node2" if c.server() == "node1" else "node1"
    node = c.lab.node(first)

    with t.step("paused for less than the detection: nothing happens"):
        at = time.monotonic()
        node.pause()
        time.sleep(0.7)
        node.resume()
        c.wait_served(first, since=at + 0.7)
        t.equal(c.lab.node(first).state()[0], "running", f"state of {first}")

    with t.step("paused for good: proven off, then taken over"):
        at = time.monotonic()
        node.pause()
        off = c.fenced_at(first, at)
        served = c.wait_served(other, since=at)
        t.say(f"          off after {off - at:.2f} s, first record by {other} after {served[1] - at:.2f} s")
        writes = c.wire.by(first, since=at + 0.2)
        t.equal(writes, [], f"what {first} wrote after it was paused (SAFE-1)")
    with t.step(f"{first} comes back as another life"):
        t.until(lambda: c.seen(other, first).get("state") == "member", 120, f"{first} is a member again", 0.5)
        t.check(c.server() == other, "the service stays")
    c.check_one_writer([first, other])

    with t.step("fence daemon silent, serving node paused: nobody takes over without a proof (SAFE-1)"):
        c.lab.control("stop", "fence_virtd")
        at = time.monotonic()
        c.lab.node(other).pause()
        time.sleep(20)
        t.equal([a for a in c.writer.acked if a[1] > at + 1], [], "records acknowledged while the owner sleeps unproven")
        c.check_one_writer([first, other])
    with t.step("it wakes: one of them serves again, and never both"):
        c.lab.node(other).resume()
        c.lab.control("start", "fence_virtd")
        c.wait_served(since=time.monotonic())
        order = [first, other] if c.server() == other else [first, other, first]
        c.check_one_writer(order)
        t.say(f"          served by {c.server()}")
    c.finish()
