# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor watchdog: each of its findings on real drivers; a softdog that is trusted resets its node, one that is not is not armed.

SAFE-12. i6300esb and softdog in one guest: no device, no fenced, armed by something else, nowayout, a software watchdog beside a
better one, one that was told not to reset. Then armed by fenced, and nothing is found; and fenced stopped on the
node with the softdog: it is reset within its timeout.
"""
import json
import time

from cluster import Cluster, config

HOLD = "systemd-run -q --collect --unit=holder sh -c 'exec 3>/dev/watchdog0; while :; do echo >&3; sleep 1; done'"


def doctor(c, node, code, *words):
    res = c.stockade(node, "doctor", "watchdog", check=False)
    c.t.equal(res.code, code, f"exit code of stockade doctor watchdog on node{node}: {res.out}{res.err}")
    for w in words:
        c.t.check(w in res.out, f"it says {w!r}: {res.out}")
    return res.out


def fence_doctor(c, node, want, device="/dev/watchdog"):
    """stockade doctor fence, of a cluster that has nothing but watchdogs; what it says of this node's."""
    c.lab.node(node).put("/run/dogs.yaml", (
        "cluster: dogs\ndetect: 3s\nnodes:\n  node1: {id: 1, link0: 192.0.2.11, fence: [dog]}\n  node2: {id: 2, link0: 192.0.2.12, fence: [dog]}\n"
        f"fence_devices:\n  dog: {{agent: watchdog}}\nwatchdog: {{device: {device}}}\n"))
    res = c.lab.node(node).run("stockade", "--config", "/run/dogs.yaml", "doctor", "fence", "--local", "--json", check=False)
    said = json.loads(res.out)["nodes"][0]["checks"]
    c.t.equal([(k["node"], k["cause"]) for k in said], [(f"node{node}", want)], f"doctor fence on node{node}: {said}")


def boot(c, n):
    return c.lab.node(n).run("cat", "/proc/sys/kernel/random/boot_id").out.strip()


def play(t):
    conf = config(extra="watchdog: on\nfence_timeout: 10s\n")
    c = Cluster(t, conf=conf, serve=False)
    one, two = c.lab.node(1), c.lab.node(2)

    with t.step("findings before there is a cluster"):
        one.run("modprobe", "-r", "i6300esb", check=False)  # udev may have loaded it
        two.run("modprobe", "-r", "i6300esb", check=False)
        doctor(c, 1, 1, "no such device")
        fence_doctor(c, 1, "watchdog-missing")
        one.run("modprobe", "i6300esb", "nowayout=1")
        doctor(c, 1, 1, "i6300ESB", "nowayout       1", "fenced does not run")
        one.run("modprobe", "-r", "i6300esb")
        one.run("modprobe", "i6300esb")
        doctor(c, 1, 1, "nowayout       0", "not by this watchdog")
        one.run("modprobe", "softdog")
        one.put("/etc/stockade/stockade.yaml", conf.replace("watchdog: on", "watchdog: {mode: on, device: /dev/watchdog1}"))
        doctor(c, 1, 1, "Software Watchdog", "a better one (i6300ESB timer)")
        fence_doctor(c, 1, "watchdog-unarmed")
        fence_doctor(c, 1, "watchdog-unarmed", "/dev/watchdog1")
        one.put("/etc/modprobe.d/softdog.conf", "options softdog soft_noboot=1\n")
        doctor(c, 1, 1, "soft_noboot")
        one.sh("rm /etc/modprobe.d/softdog.conf; modprobe -r softdog")
        one.put("/etc/stockade/stockade.yaml", conf)
        one.put("/etc/stockade/bad.yaml", "cluster: x\n")
        t.equal(c.lab.node(1).run("stockade", "--config", "/etc/stockade/bad.yaml", "doctor", "watchdog", check=False).code, 2, "exit code for a bad configuration")

    with t.step("something else has it: fenced does not get it, and says so"):
        one.sh(HOLD)
        two.put("/etc/modprobe.d/softdog.conf", "options softdog soft_noboot=1\n")
        two.run("modprobe", "softdog")
        c.start()
        t.until(lambda: (c.status(1, "fenced").get("watchdog") or {}).get("error"), 90, "fenced of node1 says why it is not armed", 0.5)
        doctor(c, 1, 1, "something else has armed it")
        t.until(lambda: "soft_noboot" in ((c.status(2, "fenced").get("watchdog") or {}).get("error") or ""), 90, "fenced of node2 does not arm what does not reset", 0.5)
        doctor(c, 2, 1, "soft_noboot")

    with t.step("given back and mended, they are armed without a restart"):
        one.sh("systemctl stop holder; sleep 1; modprobe -r i6300esb; modprobe i6300esb")
        # unloaded first: what softdog was loaded with is told by modprobe's files alone, and fenced looks once a second
        two.sh("modprobe -r softdog && rm /etc/modprobe.d/softdog.conf && modprobe softdog")
        for n in (1, 2):
            t.until(lambda n=n: (c.status(n, "fenced").get("watchdog") or {}).get("armed"), 90, f"node{n}'s watchdog is armed: {c.status(n, 'fenced').get('watchdog')}", 0.5)
        said = doctor(c, 1, 0, "It would reset this machine 12 s after nobody pets it any more", "active: armed")
        t.check("!" not in said, f"nothing was found: {said}")
        doctor(c, 2, 1, "does not fire when the kernel itself hangs")
        fence_doctor(c, 1, "ok")
        fence_doctor(c, 2, "watchdog-soft")
        t.until(lambda: c.seen(1, "node2").get("watchdog_ms") == 12000, 30, "node1 knows the timeout of node2's softdog")
        t.equal(c.seen(1, "node2").get("watchdog_by"), "ring", "by what node1 knows it")

    with t.step("fenced of node2 stands still: the softdog resets it"):
        before, at = boot(c, 2), time.monotonic()
        two.sh("kill -STOP $(systemctl show -P MainPID stockade-fenced)")
        reset = next(iter([t.until(lambda: [e["mono"] for e in c.lab.events() if e["mono"] > at and "node2" in e["text"] and "reboot" in e["text"]], 60,
                                   "node2 is reset")[0]]))
        t.within(reset - at, 2 * 12, "it is reset after its fenced stood still, with a timeout of 12 s, in a guest that may be starved")
        two.wait_booted(300)
        t.check(boot(c, 2) != before, "it is another boot")
        t.equal([e for e in c.lab.events() if e["mono"] > at and "Stopped" in e["text"] and e["mono"] < reset], [], "nobody had switched it off before")
        t.say(f"          softdog: reset {reset - at:.1f} s after fenced stood still")

    with t.step("fenced of node1 stands still: i6300esb resets it, and the next boot knows"):
        at = time.monotonic()
        one.sh("kill -STOP $(systemctl show -P MainPID stockade-fenced)")
        reset = c.lab.wait_event("node1", "reset", since=at, timeout=60)["mono"]
        t.within(reset - at, 2 * 12, "it is reset after its fenced stood still, with a timeout of 12 s, in a guest that may be starved")
        t.say(f"          i6300esb: reset {reset - at:.1f} s after fenced stood still")
        one.wait_booted(300)
        one.run("modprobe", "i6300esb")
        said = c.stockade(1, "doctor", "watchdog", check=False).out
        t.check("last boot" in said, f"it tells about the last boot: {said}")
        t.say("          " + next(line.strip() for line in said.splitlines() if "last boot" in line))
