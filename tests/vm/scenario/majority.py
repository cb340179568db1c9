# SPDX-License-Identifier: GPL-3.0-or-later
"""Three nodes: two of them take over from a third; one alone fences nobody and serves nothing until another is back."""
import time

from cluster import Cluster, config

DOMAIN = "{nodes: [node1, node2, node3], ordered: true, restricted: true, failback: false}"


def play(t):
    c = Cluster(t, nodes=3, conf=config(3, domain=DOMAIN, extra="fence_action: off\n"))
    # whichever two were quorate first: the names below are in the order in which they serve
    first = c.server()
    second, third = [n for n in ("node1", "node2", "node3") if n != first]
    one, two, three = (int(n.removeprefix("node")) for n in (first, second, third))
    with t.step("a kernel panic of the server: two of three fence it and take over"):
        at = c.lab.node(one).crash()
        off = c.fenced_at(first, at)
        served = c.wait_served(second, since=at)
        t.check(c.runs()[1][1] > off, f"SAFE-1: {second} wrote before {first} was off")
        t.say(f"          off {off - at:.2f} s, first record by {second} {served[1] - at:.2f} s after sysrq-c")
    with t.step("a panic of the second: who is left is a minority, and does nothing (SAFE-4)"):
        at = c.lab.node(two).crash()
        t.until(lambda: (c.status(three, "storaged").get("view") or {}).get("quorate") is False, 60, f"{third} knows that it is alone", 0.5)
        time.sleep(10)
        t.equal(c.lab.node(two).state()[0], "crashed", f"{second} has not been fenced")
        c.check_one_writer([first, second])
        t.equal([a for a in c.writer.acked if a[1] > at + 3], [], "records acknowledged without a majority")
    with t.step("the first is switched on again: a majority, which fences and takes over"):
        on = time.monotonic()
        c.lab.node(one).start()
        off = c.fenced_at(second, on, timeout=180)
        served = c.wait_served(since=off)
        t.check(served[2] in (first, third), f"{served[2]} serves")
        t.say(f"          {second} off {off - on:.1f} s, first record by {served[2]} {served[1] - on:.1f} s after the power was on")
    c.check_one_writer([first, second, served[2]])
    t.check(c.runs()[2][1] > off, f"SAFE-1: {served[2]} wrote before {second} was off")
    c.finish()
