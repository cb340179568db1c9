# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes stopped by force: an error table, also under writes in flight to a silent disk; usable again only by a new epoch.

SAFE-1, SAFE-7. The first grade of letting go. On a disk that answers the swap takes milliseconds, and what was in flight ends;
on one that is silent its session is cut first. Never is the old table back: probe, monitor, start say so, and only a kill (or
stop) and a start, with its epoch, make the volume usable. And an open-iscsi record that a crash emptied is made anew.
"""
import time

from labdriver import TARGET, Drivers

WRITER = r"""
exec 3>/run/wrote 4<>/var/www/html/%s
i=0
while :; do
	i=$((i + 1))
	printf '%%08d\n' $i | dd bs=4096 count=1 conv=sync,notrunc oflag=dsync of=/var/www/html/%s 2>/dev/null || { echo $i > /run/failed; break; }
	echo $i > /run/wrote
done
"""


def table(one):
    return one.run("dmsetup", "table", "vgcluster-lv0").out.split()[2]


def writer(one, name):
    one.sh("rm -f /run/wrote /run/failed")
    one.run("systemd-run", "-q", "--collect", f"--unit=writer-{name}", "/bin/sh", "-c", WRITER % (name, name))
    one.sh("until [ -s /run/wrote ]; do sleep 0.05; done")


def play(t):
    d = Drivers(t)
    one = d.lab.node(1)
    d.op(1, "prepare")
    d.ok(1, "volume_prepare")

    with t.step("not active: nothing to deny; a disk that answers: in milliseconds, whoever writes"):
        d.ok(1, "deny")
        epoch = d.ok(1, "start")["epoch"]
        writer(one, "a")
        time.sleep(1)
        got = d.ok(1, "deny")
        if "cut" in str(got["lines"]):  # a laboratory that stands still for a second is a silent disk; it has another second
            t.say("          the disk took longer than a second: once more")
            for op in ("kill", "prepare", "start"):
                d.ok(1, op)
            writer(one, "a")
            got = d.ok(1, "deny")
        took = next(line["took_ms"] for line in got["lines"] if line.get("step") == "volume.deny")
        t.check("cut" not in str(got["lines"]), f"denied in {took} ms without a cut: {got['lines']}")
        t.equal(table(one), "error", "target of the table")
        one.sh("until [ -s /run/failed ]; do sleep 0.05; done", timeout=60)
        t.say(f"          deny took {took} ms on a disk that answers; the writer failed at record {one.run('cat', '/run/failed').out.strip()}")
        with open(d.lab.disk, "rb") as f:
            before = f.read()
        one.sh("dd if=/dev/zero of=/dev/mapper/vgcluster-lv0 bs=4096 count=1 oflag=direct 2>&1; "
               "echo x > /var/www/html/b; sync", check=False)
        time.sleep(2)
        with open(d.lab.disk, "rb") as f:
            t.check(f.read() == before, "not a byte reached the disk afterwards")

    with t.step("SAFE-1: denied is not active, not healthy, and no start makes it writable"):
        d.ok(1, "probe", wanted="partial")
        d.fails(1, "monitor", "io_error", "stopped by force")
        d.fails(1, "start", "lv_active_foreign", "stopped by force")
        t.equal(table(one), "error", "target of the table after that start")
        d.ok(1, "deny")
        d.ok(1, "kill")
        d.inactive(1)
        again = d.ok(1, "start")["epoch"]
        t.check(again > epoch, f"a new epoch: {epoch}, then {again}")
        t.equal(table(one), "linear", "target of the table")
        d.ok(1, "monitor", wanted="healthy")
        wrote = int(one.run("cat", "/run/wrote").out)
        have = int(one.sh("head -c 8 /var/www/html/a").out)
        t.check(have >= wrote, f"every write that was answered is there: {wrote} answered, {have} on the disk")

    with t.step("a silent disk with writes in flight: its session is cut, then it is denied"):
        writer(one, "c")
        d.lab.host("kill", "-STOP", d.tgtd())
        try:
            time.sleep(1)
            at = time.monotonic()
            got = d.ok(1, "deny", limit_ms=30000)
            took = time.monotonic() - at
            t.equal(table(one), "error", "target of the table")
            one.sh("until [ -s /run/failed ]; do sleep 0.05; done", timeout=60)
            t.check("cut" in str(got["lines"]), f"its session was cut: {got['lines']}")
            t.say(f"          deny took {took:.1f} s on a silent disk")
            got = d.ok(1, "kill", limit_ms=30000)
            d.inactive(1)
        finally:
            d.lab.host("kill", "-CONT", d.tgtd())
        time.sleep(1)
        with open(d.lab.disk, "rb") as f:
            before = f.read()
        time.sleep(3)
        with open(d.lab.disk, "rb") as f:
            t.check(f.read() == before, "the disk that answers again gets nothing of what was in flight")
        d.ok(1, "prepare")
        d.ok(1, "start")
        d.ok(1, "monitor", wanted="healthy")
        d.ok(1, "stop")
        d.inactive(1)

    with t.step("an open-iscsi record that a crash emptied, or filled with junk, is made anew"):
        for junk in (":", "head -c 300 /dev/urandom"):
            one.run("iscsiadm", "-m", "node", "-T", TARGET, "-u")
            one.sh(f"for f in $(find /etc/iscsi/nodes -type f); do {junk} > $f; done")
            d.ok(1, "prepare")
        d.ok(1, "start")
        d.ok(1, "stop")

    with t.step("the network goes with writes in flight: none of them arrives when it is back (SAFE-1)"):
        d.ok(1, "prepare")
        d.ok(1, "start")
        writer(one, "e")
        one.cut()
        time.sleep(1)
        got = d.ok(1, "kill", limit_ms=30000)
        d.inactive(1)
        with open(d.lab.disk, "rb") as f:
            before = f.read()
        one.heal()
        time.sleep(20)  # longer than TCP waits before it tries again
        with open(d.lab.disk, "rb") as f:
            t.check(f.read() == before, "what waited in the connection was thrown away with it")
        t.check("silent" in str(got["lines"]), f"its connection was given up first: {got['lines']}")
