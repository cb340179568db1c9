# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of every size up to 256 KiB arrive whole, once and in one order at all members, also when sent in a flood.

Method: viewlog on three nodes; sizes around the limits of packets and of CPG, then three floods at once.
"""
import time

from scene import until
from views import Member, settled

MAX = 256 * 1024


def play(t):
    with t.lab(nodes=3) as lab:
        lab.wait_quorate()
        m = [Member(lab, k) for k in (1, 2, 3)]
        settled(m, (1, 2, 3))
        sizes = [12, 1400, 9000, 65535, 65536, 65537, 200000, MAX]
        for size in sizes:
            m[1].order(f"flood 1 {size}")
        for x in m:
            until(lambda x=x: len(x.of("message")) == len(sizes), f"{len(sizes)} messages at n{x.k}", 20)
            t.equal([e["bytes"] for e in x.of("message")], sizes, f"sizes at n{x.k}")
            t.equal([e["crc"] for e in x.of("message")], [e["crc"] for e in m[0].of("message")], f"content at n{x.k}")
        t.equal(len({e["crc"] for e in m[0].of("message")}), len(sizes), "different contents")
        m[0].order(f"flood 1 {MAX + 1}")
        t.equal(until(lambda: m[0].of("order"), "the answer to a message too long")[0]["rc"], -90, "EMSGSIZE")

        for count, size in ((2000, 200), (60, MAX)):
            marks = [x.mark() for x in m]
            t0 = time.monotonic()
            for x in m:
                x.order(f"flood {count} {size}")
            for x, mark in zip(m, marks):
                until(lambda x=x, mark=mark: len(x.of("message", mark)) == 3 * count, f"the floods at n{x.k}", 60, 0.05)
            took = time.monotonic() - t0
            orders = [[(e["from"], e["crc"], e["bytes"]) for e in x.of("message", mark)] for x, mark in zip(m, marks)]
            t.check(orders[0] == orders[1] == orders[2], f"another order of {count} x {size}")
            t.equal([x.of("lost") for x in m], [[], [], []], "lost connections")
            for k in (1, 2, 3):
                t.equal(len([1 for f, _, _ in orders[0] if f == k]), count, f"messages of n{k}")
            t.say(f"3 x {count} messages of {size} bytes in {took:.2f} s: {3 * count * size / took / 1e6:.1f} MB/s")
        for x in m:
            x.end()
