# SPDX-License-Identifier: GPL-3.0-or-later
"""No way to the power switch: nothing is started, why names the switch, and it goes on once it answers (SAFE-1, SAFE-6).

Method: power cut of the server of three nodes while no survivor reaches the switch.
"""
import time

from cluster import Cluster
from scene import until


def chain(c, k, name, kind, daemon):
    """Everything the daemons say about why, following what each link waits on, as stockade why does."""
    said, ahead, done = [], [(kind, name, daemon)], set()
    while ahead:
        kind, name, daemon = ahead.pop(0)
        if (kind, name) in done:
            continue
        done.add((kind, name))
        for link in c.why(k, name, kind, daemon):
            said.append(link["text"] or "")
            ahead += [(o["kind"], o.get("name"), "fenced" if o["kind"] in ("node", "cluster") else
                      "dlmd" if o["kind"] == "lock" else "storaged") for o in link.get("on", [])]
    return " | ".join(said)


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        first = c.wait_server()
        rest = [k for k in c.nodes if k != first.node]
        for k, how in zip(rest, ("refused", "silent")):
            c.lab.reach(k, how)
        c.lab.powercut(first.node)
        until(lambda: all((c.seen(k, first.node).get("fencing") or {}).get("error") for k in rest),
              "both survivors to say that fencing failed", 30)
        c.stays_with(first, 3)
        words = chain(c, rest[0], "rec", "service", "storaged")
        t.say(f"why: {words}")
        t.check(f"n{first.node}" in words and "switch" in words, f"why names neither the victim nor the switch: {words}")
        t1 = time.monotonic()
        for k in rest:
            c.lab.reach(k, "yes")
        before, after, _ = c.handover(first, nodes=rest)
        c.off_between(before, after)
        t.say(f"served {after.first - t1:.2f} s after the switch could be reached")
        c.never_two_writers()
