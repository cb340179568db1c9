# SPDX-License-Identifier: GPL-3.0-or-later
"""No fence device but the watchdog: a node whose daemons hang is reset by it, and only then the majority takes over.

SAFE-1, SAFE-12. Three nodes, i6300esb in each. On the serving node fenced, storaged and dlmd are stopped (SIGSTOP) and its
way to the other nodes is cut; the disk and its clients it still reaches, so it goes on serving and writing. Nobody can
switch it off. Its watchdog resets it; the others, who know its timeout from its own word, wait longer than that, and serve.
"""
import time

from cluster import DAEMONS, Cluster, config

CONF = "fence_timeout: 1s\nfence_check_age: 1min\n"


def play(t):
    conf = config(nodes=3, detect="6s", fence={n: "[dog]" for n in (1, 2, 3)}, extra=CONF,
                  domain="{nodes: [node1, node2], ordered: true, restricted: true, failback: false}")
    conf = conf.replace("fence_devices:\n", "fence_devices:\n  dog: {agent: watchdog}\n")
    c = Cluster(t, conf=conf, nodes=3, serve=False)
    for node in c.lab.nodes.values():
        node.run("modprobe", "i6300esb")
        # systemd would kill and restart what hangs 15 to 30 s later, sooner or later than the hardware acts
        for daemon in DAEMONS:
            node.put(f"/etc/systemd/system/stockade-{daemon}.service.d/hang.conf", "[Service]\nWatchdogSec=0\n")
        node.run("systemctl", "daemon-reload")
    c.start()
    with t.step("watchdogs armed, volume prepared, service running"):
        c.prepare()
        c.wait_running(timeout=240)
    dog = c.status(1, "fenced")["watchdog"]
    t.check(dog["armed"] and "6300" in (dog["identity"] or ""), f"node1's watchdog is armed: {dog}")
    told = c.seen(2, "node1").get("watchdog_ms")
    t.equal(told, dog["timeout_ms"], "the timeout that node2 knows of node1")
    c.start_clients()
    first = c.server()
    number = int(first.removeprefix("node"))
    others = [n for n in (1, 2, 3) if n != number]

    at = time.monotonic()
    c.lab.node(first).sh("kill -STOP $(pidof stockade-fenced stockade-storaged stockade-dlmd)")
    for other in others:
        c.lab.split(number, other)
    with t.step("its watchdog resets it"):
        reset = c.lab.wait_event(first, "reset", since=at, timeout=120)["mono"]
    t.within(reset - at, told / 1000 + 12, f"{first} is reset after its daemons hung, with a watchdog of {told / 1000:.0f} s")
    with t.step("the majority has the proof, and serves"):
        t.until(lambda: (c.seen(others[0], first).get("proof") or {}).get("kind") == "watchdog_expired", 180,
                f"a watchdog_expired proof: {c.seen(others[0], first).get('proof')}", 0.3)
        proven = time.monotonic()
        served = c.wait_served("node2" if first == "node1" else "node1", since=at)
    last = max(a[1] for a in c.writer.acked if a[2] == first)
    mine = [r for r in c.runs() if r[0] == first]
    t.say(f"          {first} acknowledged until {last - at:.1f} s after its daemons hung and wrote until {mine[-1][2] - at:.1f} s, reset after {reset - at:.1f} s; "
          f"watchdog {told / 1000:.0f} s; proof after {proven - at:.1f} s, served again after {served[1] - at:.1f} s")
    t.check(mine[-1][2] <= reset, "it wrote nothing after it was reset")
    t.check(served[1] > mine[-1][2] + 5, "SAFE-1: the other one served long after the last write")
    c.check_one_writer([first, served[2]])
    c.lab.join(number, others[0])
    c.lab.join(number, others[1])
    t.until(lambda: c.seen(others[0], first).get("state") == "member", 180, f"{first} is a member again", 0.5)
    c.check_one_writer([first, served[2]])
    c.finish()
