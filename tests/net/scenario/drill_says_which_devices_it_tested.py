# SPDX-License-Identifier: GPL-3.0-or-later
"""A drill names each device that switched the node off and said so; one whose device did not work ends with 1 and what to do.

Method: two nodes with two levels, the second of two devices (dual power). A drill of the second level; drills whose device
lies, hangs, and is out of order; each time the node is back and serves may run on it again. Then everything is restarted:
what was tested is still known.
"""
import time

from cluster import Cluster, yaml
from scene import built, until


def play(t):
    agent = built("fence_agents/dummy/fence_dummy")
    uses = "[{switch: n%d}, {left: n%d, right: n%d}]"
    text = yaml(2, fence={k: uses % (k, k, k) for k in (1, 2)}).replace(
        "volumes:", f'  left: {{agent: {agent}, socket: /run/lab/node/power, timeout: "3"}}\n'
                    f'  right: {{agent: {agent}, socket: /run/lab/node/power, timeout: "3"}}\nvolumes:')
    with Cluster(t, nodes=2, conf={1: text, 2: text}) as c:
        c.wait_ready()
        run = c.wait_server()
        idle, by = 3 - run.node, run.node

        def paths():
            until(lambda: c.seen(by, idle).get("ready") and c.seen(idle, by).get("ready")
                  and c.seen(by, idle)["state"] == "member", "both paths pass", 30)

        def drill(*opts):
            paths()
            t0 = time.monotonic()
            r = c.lab.exec(by, built("tools/stockade"), "fence", "--drill", f"n{idle}", "--yes", "--reason", "test", "--timeout", "60s",
                           *opts, timeout=90)
            t.equal(c.server(), by, "who serves")
            ends = [e["by"] for e in c.lab.events("off", node=idle) if e["t"] > t0]
            calls = [x for x in c.lab.calls(plug=f"n{idle}") if x["t"] > t0 and x["action"] == "off"]
            t.say(f"{' '.join(opts) or 'drill'}: exit {r.rc} after {time.monotonic() - t0:.1f} s, ended by {ends}")
            return r, ends, len(calls)

        r, ends, calls = drill("--level", "2")
        t.equal(r.rc, 0, f"exit code of the drill of level 2; it said {r.out}{r.err}")
        t.equal(calls, 2, "offs of two devices")
        for device in ("left", "right"):
            t.check(f"level 2  {device} plug n{idle}: switched it off, and said so" in r.out, f"{device} is told: {r.out}")
        t.check(f"level 1  switch plug n{idle}: not in this drill, and in none before: --level 1" in r.out, f"what was not tested is told: {r.out}")

        r, ends, calls = drill()
        t.equal((r.rc, calls), (0, 1), f"the other level comes next: {r.out}{r.err}")
        t.check("level 1  switch" in r.out and "level 2  left" in r.out and "not in this drill; in one " in r.out, r.out)

        for fault in ("lie", "hang", "fail"):
            c.lab.fault(fault, actor=by, victim=idle, action="off")
            r, ends, calls = drill("--level", "1")
            c.lab.faults_clear()
            t.equal(r.rc, 1, f"exit code of a drill whose device does {fault}; it said {r.out}{r.err}")
            t.equal(ends[0], "itself: reboot", f"what ended its life when the device does {fault}")
            t.check("tested no device: it was settled by new_boot, after the device had failed" in r.err
                    and "to do: repair the device" in r.err and f"--drill n{idle} --level 1" in r.err, f"what to do: {r.err}")
            t.check("level 1  switch" in r.out and "not tested" in r.out, r.out)
        told = [e for e in c.ask(by, "fenced", cmd="history", max=500)["entries"] if e["event"] == "fence.drill"]
        t.equal([e["step"] for e in told if e["step"] != "back"], ["tested", "tested"] + ["untested"] * 3, "the history of drills")

        before = c.seen(by, idle)["drill"]
        for k in (1, 2):
            c.lab.powercut(k)
        for k in (1, 2):
            c.lab.boot(k)
        paths()
        after = c.seen(by, idle)["drill"]
        t.equal({k: after[k] for k in ("number", "kind", "tested", "wall")}, {k: before[k] for k in ("number", "kind", "tested", "wall")},
                "the last drill after a restart of all")
        t.check(all(x["age_s"] is not None for x in after["levels"]), f"both levels were tested once: {after['levels']}")
        c.never_two_writers()
