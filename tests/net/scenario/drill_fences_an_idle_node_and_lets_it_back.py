# SPDX-License-Identifier: GPL-3.0-or-later
"""`stockade fence --drill` moves services away, fences for real, waits for the node, and is refused when anything is not well.

Method: a drill of the serving node by the command; its peer serves on; then a drill with a broken fence path: refused,
nobody is switched off.
"""
import time

from cluster import Cluster
from scene import built, until


def drill(c, by, node, timeout=60):
    return c.lab.exec(by, built("tools/stockade"), "fence", "--drill", f"n{node}", "--yes", "--reason", "test", "--timeout", "40s",
                      timeout=timeout)


def play(t):
    with Cluster(t, nodes=2) as c:
        c.wait_ready()
        run = c.wait_server()
        by = 3 - run.node
        until(lambda: c.seen(by, run.node).get("ready") and c.seen(run.node, by).get("ready"), "both paths pass", 10)
        t0 = time.monotonic()
        r = drill(c, by, run.node)
        t.equal(r.rc, 0, f"exit code of the drill; it said {r.out}{r.err}")
        offs = [(e["node"], e["by"]) for e in c.lab.events("off") if e["t"] > t0]
        # it waits for the device, and does not reboot itself, as any other victim would (FENCE-3)
        t.equal(offs, [(run.node, f"agent on n{by}")], "what ended its life")
        t.check("level 1  switch plug n" in r.out and "switched it off, and said so when asked" in r.out, f"each device is told: {r.out}")
        t.equal(c.server(), by, "who serves")
        t.say(f"drill of the serving node: {time.monotonic() - t0:.1f} s, said: {r.out.splitlines()[-1]}")
        told = [e.get("step") for e in c.ask(by, "fenced", cmd="history", max=500)["entries"] if e["event"] == "fence.drill"]
        t.equal(told, ["tested", "back"], "what the history tells of it")
        drill_seen = c.seen(by, run.node)["drill"]
        t.check(drill_seen["tested"] and drill_seen["kind"] == "off_verified" and drill_seen["age_s"] < 60, f"status: {drill_seen}")
        t.equal(c.seen(by, run.node).get("held"), False, "a drill is no fence loop")

        c.lab.reach(by, "refused")
        until(lambda: c.ask(by, "fenced", cmd="ready")["ok"] and not c.seen(by, run.node).get("ready"), "the path is seen broken", 30)
        n = len(c.lab.events("off"))
        r = drill(c, by, run.node)
        t.check(r.rc == 4 and "fence path" in r.err, f"a drill over a broken path is refused: {r}")
        c.lab.reach(by, "yes")
        t.equal(len(c.lab.events("off")), n, "switch-offs by a drill that was refused")
        t.equal(c.server(), by, "who serves in the end")
        c.never_two_writers()
