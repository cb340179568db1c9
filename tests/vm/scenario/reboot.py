# SPDX-License-Identifier: GPL-3.0-or-later
"""The last grade: the volume is held by what nobody can kill, so the node reboots itself, before its watchdog and long before the others serve.

SAFE-1, SAFE-7, SAFE-12. Three nodes, no fence device but i6300esb in each. On the serving node somebody attached a file of the volume
as a loop device, and a backup goes on writing to that. No process has the mount open for it: the kernel does. The node is cut off
from the two others, which have quorum. It stops in order, its writes are stopped, users are killed, and the mount stays busy: it
reboots itself. It stays cut off until the others have the proof by time and serve. Its next boot says why, by itself.
"""
import json
import time

import lab as L
from cluster import Cluster, config

CONF = "fence_timeout: 1s\nfence_check_age: 1min\nfence_loop: off\n"
ATTACH = "modprobe loop && truncate -s 8M /var/www/html/backup.img && losetup /dev/loop0 /var/www/html/backup.img"
# Few processes: each that is started makes a later reset of a guest under TCG slower (README.md).
BACKUP = r"""
copy() { dd if=/dev/zero of=/dev/loop0 bs=4096 count=$1 conv=notrunc oflag=dsync 2>/dev/null; }
copy 3 && : >/run/written
while :; do
	copy 2048 || { : >>/run/refused; sleep 1; }
done
"""
WHY = "quorum is lost, and this node could not let go of web in time"


def boot_id(n):
    """Of the boot that answers, None while none does."""
    try:
        return n.run("cat", "/proc/sys/kernel/random/boot_id", timeout=10, check=False).out.strip() or None
    except (L.NodeSilent, L.NodeLost):
        return None


def entries(c, node):
    return json.loads(c.stockade(node, "history", "--json", "-n", "400", check=False).out or "{}").get("entries", [])


def served_with_dogs(t):
    conf = config(nodes=3, detect="5s", fence={n: "[dog]" for n in (1, 2, 3)}, extra=CONF,
                  domain="{nodes: [node1, node2, node3], ordered: true, restricted: true, failback: false}")
    c = Cluster(t, conf=conf.replace("fence_devices:\n", "fence_devices:\n  dog: {agent: watchdog}\n"), nodes=3, serve=False)
    for node in c.lab.nodes.values():
        node.put("/etc/modules-load.d/dog.conf", "i6300esb\n")
        node.run("modprobe", "i6300esb")
    c.start()
    with t.step("watchdogs armed, volume prepared, service running"):
        c.prepare()
        c.wait_running(timeout=240)
        names = [n.name for n in c.lab.nodes.values()]
        t.until(lambda: all(c.seen(a, b).get("state") == "member" and c.seen(a, b).get("watchdog_ms") for a in names for b in names),
                120, "all are members, and know of each other that its watchdog is armed", 0.5)
    c.start_clients()
    return c


def play(t):
    c = served_with_dogs(t)
    first = c.server()
    n, number = c.lab.node(first), int(first.removeprefix("node"))
    others = [o for o in (1, 2, 3) if o != number]
    boot = boot_id(n)
    n.sh(ATTACH)
    n.run("systemd-run", "-q", "--collect", "--unit=backup", "/bin/sh", "-c", BACKUP)
    t.until(lambda: n.sh("test -e /run/written", check=False).code == 0, 30, "the backup writes")

    at = time.monotonic()
    for other in others:
        c.lab.split(number, other)
    with t.step("cut off, without quorum: its writes are stopped"):
        t.until(lambda: n.sh("test -e /run/refused", check=False).code == 0, 60, f"a write on {first} fails", 0.05)
        refused = time.monotonic()
    with t.step("users are killed, and nothing can be let go of: it reboots itself"):
        reset = c.lab.wait_event(first, "", since=refused, timeout=60)
        t.check("'reboot'" in reset["text"], f"what libvirt says of {first} first is that it reboots, not that its watchdog fired: {reset['text']}")
        reset = reset["mono"]
    t.check(not [a for a in c.writer.acked if a[1] > at and a[2] != first], "nobody else had served by then")

    with t.step("the others have the proof by time, and serve"):
        served = c.wait_served(since=reset, timeout=240)
    proof = c.seen(others[0], first).get("proof") or {}
    t.equal(proof.get("kind"), "watchdog_expired", f"the proof of which they serve: {proof}")
    t.check(served[2] != first and served[1] > reset, f"served by {served[2]}, {served[1] - reset:.1f} s after {first} had rebooted itself")
    with t.step("its next boot knows why, cut off as it still is"):
        t.until(lambda: boot_id(n) not in (None, boot), 240, f"{first} is up again", 0.5)
        t.until(lambda: c.status(first, "storaged").get("last_end"), 120, f"storaged of {first} runs again", 0.5)
    said = " ".join(c.stockade(first, "status", check=False).out.split())
    t.check("this node rebooted itself at" in said and WHY in said, f"stockade status says why: {said}")
    found = entries(c, first)
    grades = [(e["event"], e["mono_ms"]) for e in found if e["boot"] == boot and e["event"].startswith("self.")]
    t.equal([g[0] for g in grades], ["self.stop", "self.deny", "self.kill", "self.reboot"], "the grades of the boot before")
    growls = [e["reason"] for e in c.ask(first, "fenced", cmd="history", max=300).get("entries", [])
              if e["event"] == "watchdog.growl" and e["boot"] == boot]
    t.check(any("quorum" in g for g in growls), f"fenced said that it would not pet any more: {growls}")
    back = [e["text"] for e in found if e["boot"] != boot and e["event"] == "self.back"]
    t.check(len(back) == 1 and WHY in back[0] and "loop device" in back[0], f"this boot begins with it: {back}")

    mine = [r for r in c.runs() if r[0] == first]
    # the wire watch is told late on a loaded machine; the reboot comes much later still
    t.check(mine[-1][2] <= refused + 2, f"{first} wrote until {mine[-1][2] - at:.1f} s, was first refused before {refused - at:.1f} s: nothing after that")
    c.check_one_writer([first, served[2]])
    t.say(f"          after the cut: refused {refused - at:.1f} s, rebooted {reset - at:.1f} s, proof and served {served[1] - at:.1f} s; "
          f"grades {', '.join(f'{name} {(ms - grades[0][1]) / 1000:.1f} s' for name, ms in grades)}")
    t.say(f"          {back[0]}")
    for other in others:
        c.lab.join(number, other)
    t.until(lambda: c.seen(others[0], first).get("state") == "member", 180, f"{first} is a member again", 0.5)
    c.check_one_writer([first, served[2]])
    c.finish()
