# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes cut from each other again and again, at random moments: one survivor each time, and it goes on serving.

SAFE-4. How many: STOCKADE_CUTS, or tests/vm/run --cuts N (4). Kinds, drawn with STOCKADE_SEED:
  split    the nodes do not hear each other; both reach disk, fence daemon and gateway: who serves stays
  moving   the same, in the middle of a planned move: whoever is left serves
  gateway  the serving node loses everybody on the first network, gateway too, and hears its peer on no link; both reach the
           disk. It would be of no use to the clients: the other one stays and takes over
"""
import os
import random
import time

from cluster import Cluster, config

KINDS = ("split", "split", "split", "moving", "gateway")
# The other one's turn comes one cut_delay after the cut: fence_timeout + 2 x detect
CONF = "ping: [192.0.2.1]\nfence_timeout: 10s\nfence_loop: off\n"


def stopped(c, since):
    return [ev["text"].split("'")[3] for ev in c.lab.events() if ev["mono"] > since and "Stopped" in ev["text"]]


def both_members(c, a, b):
    return all(c.seen(x, y).get("state") == "member" for x, y in ((a, b), (b, a)))


def one_cut(t, c, n, kind, rng):
    first = c.server()
    other = "node2" if first == "node1" else "node1"
    time.sleep(rng.uniform(0, 3))
    if kind == "moving":
        c.lab.node(first).sh(f"stockade service relocate web {other} >/dev/null 2>&1 &")
        time.sleep(rng.uniform(0, 2))
    served_before = c.writer.acked[-1][1]
    at = time.monotonic()
    c.lab.split(1, 2)
    if kind == "gateway":
        c.lab.node(first).cut(links=(0,))
    t.until(lambda: stopped(c, at), 90, f"cut {n} ({kind}): a node is switched off", 0.05)
    lost = stopped(c, at)[0]
    took = time.monotonic() - at
    left = "node2" if lost == "node1" else "node1"
    if kind == "split":
        t.equal(lost, other, f"cut {n} ({kind}): who was switched off while {first} served")
    elif kind == "gateway":
        t.equal(lost, first, f"cut {n} ({kind}): who was switched off while {other} alone reached the gateway")
    served = c.wait_served(left, since=at + took)
    c.lab.join(1, 2)
    if kind == "gateway":
        c.lab.node(first).heal(links=(0,))
    t.until(lambda: both_members(c, left, lost), 150, f"cut {n} ({kind}): {lost} is a member again", 0.3)
    t.equal(stopped(c, at), [lost], f"cut {n} ({kind}): nodes that were switched off")
    t.equal(c.server(), left, f"cut {n} ({kind}): who serves afterwards")
    gap = max((b[1] - a[1] for a, b in zip(c.writer.acked, c.writer.acked[1:]) if b[1] > served_before), default=0)
    t.say(f"          cut {n:3d} {kind:8s} {first} served, {lost} off after {took:5.2f} s, served again {served[1] - at:5.2f} s, "
          f"longest pause {gap:5.2f} s")
    return kind, took, gap, first != left


def play(t):
    n_cuts = int(os.environ.get("STOCKADE_CUTS") or 4)
    seed = int(os.environ.get("STOCKADE_SEED") or random.randrange(1 << 31))
    rng = random.Random(seed)
    t.say(f"          {n_cuts} cuts, STOCKADE_SEED={seed}")
    c = Cluster(t, conf=config(extra=CONF))
    kinds = ["split", "gateway", "moving"] + [rng.choice(KINDS) for _ in range(n_cuts)]
    done = [one_cut(t, c, n + 1, kinds[n], rng) for n in range(n_cuts)]
    for kind in sorted(set(KINDS)):
        took = sorted(d[1] for d in done if d[0] == kind)
        gaps = sorted(d[2] for d in done if d[0] == kind)
        if took:
            t.say(f"          {kind}: {len(took)} cuts, off after {took[0]:.2f} / {took[len(took) // 2]:.2f} / {took[-1]:.2f} s, "
                  f"longest pause of the service {gaps[len(gaps) // 2]:.2f} s (median) {gaps[-1]:.2f} s (worst)")
    moves = sum(d[3] for d in done) + 2 * sum(d[0] == "moving" for d in done)
    t.equal(c.wire.missed, 0, "frames that the wire watch missed")
    t.check(len(c.runs()) <= 1 + moves, f"SAFE-1: the writer changed {len(c.runs()) - 1} times in {moves} changes of the owner: {c.runs()}")
    c.finish()
