# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes cut from each other again and again, at random moments and in every way: one survivor each time, and it serves.

SAFE-4. How many after one of each kind: STOCKADE_CUTS, or tests/vm/run --cuts N (1). Drawn with STOCKADE_SEED; only some kinds:
STOCKADE_KINDS=split,moving. Kinds:
  split    the nodes do not hear each other; both reach disk, fence daemon and gateway: who serves stays
  deaf     what one of them sends to the other is lost, the other way works: who serves stays
  moving   split, in the middle of a planned move: whoever is left serves
  gateway  split, and the serving node loses everybody on the first network, gateway too; both reach the
           disk. It would be of no use to the clients: the other one stays and takes over
  blind    split, and the serving node loses the storage network: the other one stays and takes over
  alone    the serving node loses everything on both networks: the other one stays and takes over
  storage  the serving node loses the storage network, and nothing else: the nodes hear each other. It cannot serve: the other
           one does, once it has let go or is off
  pings    the serving node loses the gateway, and nothing else: no node is cut off, nobody is switched off, nothing moves
"""
import os
import random
import time

from cluster import Cluster, config
from timeline import Timeline

KINDS = ("split", "split", "split", "deaf", "moving", "gateway", "blind", "alone", "storage", "pings")
ONCE = ("split", "gateway", "moving", "deaf", "blind") + (() if os.environ.get("CI") else ("storage",))
TAKES_OVER = ("gateway", "blind", "alone")
# The other one's turn comes one cut_delay after the cut: fence_timeout + 2 x detect
CONF = "ping: [192.0.2.1]\nfence_timeout: 10s\nfence_loop: off\n"
GATEWAY = 0
STORAGE = 1
PAUSE = {"split": 3, "deaf": 3, "pings": 14}  # seconds without an answer that a client sees at most; a takeover: below
PAUSE_TURN = 16 + 3 + 6                       # turn, detection, takeover
PAUSE_STORAGE = 25  # 5 known, 9 to let go or be fenced, takeover


def stopped(c, since):
    return [ev["text"].split("'")[3] for ev in c.lab.events() if ev["mono"] > since and "Stopped" in ev["text"]]


def both_members(c, a, b):
    return all(c.seen(x, y).get("state") == "member" for x, y in ((a, b), (b, a)))


def standby_ready(c, name):
    """Its storaged has the volume in reach: without that no cut can be survived by it."""
    volumes = c.status(name, "storaged").get("volumes") or [{}]
    return volumes[0].get("prepared") is True and volumes[0].get("reachable") is True


def cut(c, kind, first, other):
    number = int(first.removeprefix("node"))
    if kind == "deaf":
        c.deaf = (number, 3 - number) if c.rng.random() < 0.5 else (3 - number, number)
        c.lab.split(*c.deaf, one_way=True)
    elif kind not in ("storage", "pings", "alone"):
        c.lab.split(1, 2)
    if kind == "gateway":
        c.lab.node(first).cut(links=(GATEWAY,))
    elif kind in ("blind", "storage"):
        c.lab.node(first).cut(links=(STORAGE,))
    elif kind == "alone":
        c.lab.node(first).cut()
    elif kind == "pings":
        c.lab.node(first).run("ip", "route", "add", "prohibit", "192.0.2.1/32")


def heal(c, kind, first):
    if kind == "deaf":
        c.lab.join(*c.deaf, one_way=True)
    elif kind not in ("storage", "pings", "alone"):
        c.lab.join(1, 2)
    if kind == "pings":
        c.lab.node(first).run("ip", "route", "del", "prohibit", "192.0.2.1/32")
    c.lab.node(first).heal()


def survivor(t, c, n, kind, first, other, at):
    """Who is left, and who is off (None: nobody had to be)."""
    name = f"cut {n} ({kind})"
    if kind == "pings":
        time.sleep(8)
        return first, None
    if kind == "storage":
        c.wait_served(other, since=at)
        return other, (stopped(c, at) or [None])[0]
    t.until(lambda: stopped(c, at), 90, f"{name}: a node is switched off", 0.05)
    lost = stopped(c, at)[0]
    if kind in ("split", "deaf"):
        t.equal(lost, other, f"{name}: who was switched off while {first} served")
    elif kind in TAKES_OVER:
        t.equal(lost, first, f"{name}: who was switched off while {other} alone was of use")
    return ("node2" if lost == "node1" else "node1"), lost


def tell_pause(t, c, at, begin, end):
    """What happened around a pause that nobody expected."""
    for row in sorted(list(c.tl.rows), key=lambda r: r.at):
        if at - 8 < row.at < end + 5:
            t.say(f"            {row.at - at:+8.3f} {row.source:8s} {row.event}: {row.text}")
    for number, when, why in c.writer.refused:
        if begin < when < end + 1:
            t.say(f"            {when - at:+8.3f} record {number} refused: {why[:90]}")


def one_cut(t, c, n, kind):
    first = c.server()
    other = "node2" if first == "node1" else "node1"
    name = f"cut {n} ({kind})"
    t.until(lambda: standby_ready(c, other), 300, f"before {name}: {other} has the volume in reach", 0.3)
    time.sleep(c.rng.uniform(0, 3))
    if kind == "moving":
        c.lab.node(first).sh(f"stockade service relocate web {other} >/dev/null 2>&1 &")
        time.sleep(c.rng.uniform(0, 2))
    served_before = c.writer.acked[-1][1]
    at = time.monotonic()
    cut(c, kind, first, other)
    left, lost = survivor(t, c, n, kind, first, other, at)
    took = time.monotonic() - at
    if kind == "pings":  # the client stands behind that gateway too
        heal(c, kind, first)
    served = c.wait_served(left, since=at + (took if kind != "storage" else 0))
    if kind != "pings":
        heal(c, kind, first)
    t.until(lambda: both_members(c, "node1", "node2"), 300, f"{name}: both nodes are members again", 0.3)
    t.equal(stopped(c, at), [lost] if lost else [], f"{name}: nodes that were switched off")
    t.equal(c.server(), left, f"{name}: who serves afterwards")
    gap, begin, end = max(((b[1] - a[1], a[1], b[1]) for a, b in zip(c.writer.acked, c.writer.acked[1:]) if b[1] > served_before),
                          default=(0, at, at))
    t.say(f"          cut {n:3d} {kind:8s} {first} served, {lost or 'nobody'} off, after {took:5.2f} s, served again {served[1] - at:5.2f} s, "
          f"longest pause {gap:5.2f} s")
    if gap > PAUSE.get(kind, PAUSE_STORAGE if kind == "storage" else PAUSE_TURN):
        c.pauses.append((n, kind, round(gap, 2)))
        tell_pause(t, c, at, begin, end)
    return kind, took, gap, first != left


def play(t):
    n_cuts = int(os.environ.get("STOCKADE_CUTS") or 1)
    seed = int(os.environ.get("STOCKADE_SEED") or random.randrange(1 << 31))
    kinds = [k for k in KINDS if k in (os.environ.get("STOCKADE_KINDS") or ",".join(KINDS)).split(",")]
    t.say(f"          {n_cuts} cuts after one of each kind, STOCKADE_SEED={seed}")
    c = Cluster(t, conf=config(extra=CONF))
    c.rng, c.pauses, c.tl = random.Random(seed), [], Timeline(c.lab)
    t.closers.append(c.tl.stop)
    kinds = [k for k in ONCE if k in kinds] + [c.rng.choice(kinds) for _ in range(n_cuts)]
    done = [one_cut(t, c, n, kind) for n, kind in enumerate(kinds, 1)]
    for kind in sorted(set(KINDS)):
        took = sorted(d[1] for d in done if d[0] == kind)
        gaps = sorted(d[2] for d in done if d[0] == kind)
        if took:
            t.say(f"          {kind}: {len(took)} cuts, over after {took[0]:.2f} / {took[len(took) // 2]:.2f} / {took[-1]:.2f} s, "
                  f"longest pause of the service {gaps[len(gaps) // 2]:.2f} s (median) {gaps[-1]:.2f} s (worst)")
    t.say(f"          {len(done)} of {len(kinds)} cuts left one survivor, which served; pauses longer than expected: {c.pauses or 'none'}")
    moves = sum(d[3] for d in done) + 2 * sum(d[0] == "moving" for d in done)
    t.equal(c.wire.missed, 0, "frames that the wire watch missed")
    t.check(len(c.runs()) <= 1 + moves, f"SAFE-1: the writer changed {len(c.runs()) - 1} times in {moves} changes of the owner: {c.runs()}")
    c.finish()
