# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule of petting by itself: no storage, no daemon, no quorum; the watchdog resets the node, and the disk tells who had not heard.

SAFE-1, SAFE-12. Three nodes, no fence device but i6300esb in each. (0) On the serving node the storage is gone, storaged, dlmd stands
still, each for a moment and alone: fenced says which rule does not hold, and pets on when it holds again. (1) storaged stands still:
everything else is well, the nodes hear each other, and it is reset. (2) Its storage is gone, and storaged cannot let go of it:
reset. (3) It is cut off and its daemons stand still; fenced of both others begins anew, so that neither has heard that its
watchdog is armed: its heartbeat on the disk says so, and they have the proof in time. One writer throughout. On a machine
without a user (CI) not 1 and 2; STOCKADE_PETTING=all for all, =living for 0 to 2. (No quorum: `reboot`; fenced itself: `doctor-watchdog`.)
"""
import json
import os
import time

from cluster import Cluster, config

CONF = "fence_timeout: 1s\nfence_check_age: 1min\nfence_loop: off\n"
ALONE = "[Service]\nWatchdogSec=0\nRestart=no\n"  # systemd would end and begin anew what stands still; here nobody does


def growls(c, node, since_ms):
    return [e["reason"] for e in c.ask(node, "fenced", cmd="history", max=300).get("entries", [])
            if e["event"] == "watchdog.growl" and e["mono_ms"] >= since_ms]


def uptime_ms(c, node):
    return int(float(c.lab.node(node).run("cat", "/proc/uptime").out.split()[0]) * 1000)


def stop(c, node, *daemons, signal="STOP"):
    """Only the daemons themselves: the child that writes the heartbeat goes on."""
    c.lab.node(node).sh("; ".join(f"kill -{signal} $(systemctl show -P MainPID stockade-{d})" for d in daemons))


def all_members(c):
    names = [n.name for n in c.lab.nodes.values()]
    return all(c.seen(a, b).get("state") == "member" for a in names for b in names) and \
        all((c.status(n, "fenced").get("watchdog") or {}).get("armed") for n in names)


def reset_of(c, name, at, within):
    """When its watchdog reset it, @at being when the rules ended."""
    reset = c.lab.wait_event(name, "reset", since=at, timeout=within + 60)["mono"]
    c.t.within(reset - at, within, f"{name} is reset")
    return reset


def moments(c, follow):
    """Act 0: each rule broken, and mended before the grace is over; on a machine that is too slow for that the service may have moved."""
    t = c.t

    def dog(node):
        return c.status(node, "fenced").get("watchdog") or {}
    for rule, on, off in (("storage", lambda node: c.lab.node(node).cut(links=(1,)), lambda node: c.lab.node(node).heal()),
                          ("dlmd", lambda node: stop(c, node, "dlmd"), lambda node: stop(c, node, "dlmd", signal="CONT")),
                          ("storaged", lambda node: stop(c, node, "storaged"), lambda node: stop(c, node, "storaged", signal="CONT"))):
        name = c.server()
        with t.step(f"{name}: its {rule} is gone for a moment"):
            mark = uptime_ms(c, name)
            on(name)
            t.until(lambda: f"{rule} " in (dog(name).get("error") or "") + " ", 90, f"fenced of {name} says that {rule} is missing: {dog(name)}", 0.3)
            # the history hears of it at the next pet that is due, a fifth of the timeout later at the latest
            t.until(lambda: any(rule in r for r in growls(c, name, mark)) or c.server() != name, 90,
                    f"and the history of {name} tells it: {growls(c, name, mark)}", 0.3)
            off(name)
            t.until(lambda: dog(name).get("petted") and not dog(name)["error"], 90, f"it is petted again: {dog(name)}", 0.3)
            follow(c.wait_served(since=time.monotonic(), timeout=150))


def living(c, timeout, grace, next_one):
    """Acts 1 and 2: nodes that are in the ring."""
    t = c.t
    first = c.server()
    with t.step("storaged of the serving node stands still; quorum and storage are there"):
        mark, at = uptime_ms(c, first), time.monotonic()
        stop(c, first, "storaged")
        t.until(lambda: any("storaged" in r for r in growls(c, first, mark)), 60, f"fenced of {first} says what is missing", 0.5)
        reset = reset_of(c, first, at, timeout / 2 + 5 + grace + timeout + 5)
    next_one(first, at, reset, ("watchdog_expired", "new_boot"))
    t.until(lambda: all_members(c), 300, f"{first} is back", 1)

    second = c.server()
    with t.step("the storage of the serving node is gone, and nobody there can let go of it"):
        mark, at = uptime_ms(c, second), time.monotonic()
        c.lab.node(second).cut(links=(1,))
        t.until(lambda: any("storage" in r for r in growls(c, second, mark)), 60, f"fenced of {second} says what is missing", 0.3)
        stop(c, second, "storaged")
        reset = reset_of(c, second, at, 6 + 6 + grace + timeout + 10)
        c.lab.node(second).heal()
    next_one(second, at, reset, ("watchdog_expired", "new_boot"))
    t.until(lambda: all_members(c), 300, f"{second} is back", 1)


def lost(c, timeout, next_one):
    """Act 3: one that is cut off, and two that have not heard that it was armed."""
    t = c.t
    third = c.server()
    number = int(third.removeprefix("node"))
    others = [n for n in (1, 2, 3) if n != number]
    with t.step("cut off, daemons still; the others' fenced begin anew and have not heard that it is armed"):
        at = time.monotonic()
        stop(c, third, "storaged", "dlmd", "fenced")
        stopped = time.monotonic()
        for other in others:
            c.lab.split(number, other)
        t.until(lambda: c.seen(others[0], third).get("state") == "victim", 60, f"{third} is a victim")
        for other in others:
            c.lab.node(other).run("systemctl", "kill", "-s", "KILL", "stockade-fenced")
            t.until(lambda other=other: c.seen(other, third).get("state") == "victim", 60, f"node{other} knows the victim again")
        t.until(lambda: any(c.seen(n, third).get("watchdog_by") == "disk" for n in others), 60, f"the disk tells that {third} is armed: {c.seen(others[0], third)}", 0.3)
        reset = reset_of(c, third, stopped, timeout + 5)
    with t.step("they have the proof in time"):
        t.until(lambda: (c.seen(others[0], third).get("proof") or {}).get("kind") == "watchdog_expired", 240,
                f"a watchdog_expired proof: {c.seen(others[0], third)}", 0.3)
    proof = c.seen(others[0], third)["proof"]
    t.check("heartbeat on the disk" in proof["evidence"], f"by what the disk said: {proof}")
    t.say(f"          proof {time.monotonic() - at:.1f} s after the cut: {proof['evidence']}")
    next_one(third, at, reset, ("watchdog_expired",))
    for other in others:
        c.lab.join(number, other)
    t.until(lambda: all_members(c), 300, f"{third} is back", 1)


def play(t):
    conf = config(nodes=3, detect=os.environ.get("STOCKADE_DETECT") or "6s", fence={n: "[dog]" for n in (1, 2, 3)}, extra=CONF,
                  domain="{nodes: [node1, node2, node3], ordered: true, restricted: true, failback: false}")
    conf = conf.replace("fence_devices:\n", "fence_devices:\n  dog: {agent: watchdog}\n")
    c = Cluster(t, conf=conf, nodes=3, serve=False)
    for node in c.lab.nodes.values():
        node.put("/etc/modules-load.d/dog.conf", "i6300esb\n")
        node.run("modprobe", "i6300esb")
        node.put("/etc/systemd/system/stockade-storaged.service.d/alone.conf", ALONE)
        for d in ("fenced", "dlmd"):
            node.put(f"/etc/systemd/system/stockade-{d}.service.d/alone.conf", ALONE.replace("Restart=no\n", ""))
        node.run("systemctl", "daemon-reload")
    c.start()
    with t.step("watchdogs armed, volume prepared, service running"):
        c.prepare()
        c.wait_running(timeout=240)
        t.until(lambda: all_members(c), 120, "all are members, and armed", 0.5)
    timeout = c.status(1, "fenced")["watchdog"]["timeout_ms"] / 1000
    grace = json.loads(c.stockade(1, "timing", "--json").out)["values"]["watchdog_grace_ms"] / 1000
    c.start_clients()
    owners = [c.server()]

    def follow(served):
        if served[2] != owners[-1]:
            owners.append(served[2])

    def next_one(name, at, reset, kinds):
        served = c.wait_served(since=reset, timeout=300)
        others = [n for n in ("node1", "node2", "node3") if n != name]
        kind = (c.seen(others[0], name).get("proof") or {}).get("kind")
        t.check(kind in kinds, f"the proof about {name}: {kind}")
        follow(served)
        t.say(f"          {name} reset {reset - at:.1f} s after that, watchdog {timeout:.0f} s, grace {grace:.0f} s; served again by {served[2]} {served[1] - at:.1f} s after it ({kind})")
        mine = [r for r in c.runs() if r[0] == name]
        t.check(mine[-1][2] <= reset or served[2] == name, f"{name} wrote nothing between its reset and the takeover")

    if os.environ.get("STOCKADE_PETTING") != "lost":
        moments(c, follow)
    if not os.environ.get("CI") or os.environ.get("STOCKADE_PETTING"):
        living(c, timeout, grace, next_one)
    if os.environ.get("STOCKADE_PETTING") != "living":
        lost(c, timeout, next_one)
    runs = [r[0] for r in c.runs()]
    t.equal(c.wire.missed, 0, "frames that the wire watch missed")
    t.equal(runs, owners, f"SAFE-1: who wrote to the volume, in order; {c.runs()}")
    c.finish()
