# SPDX-License-Identifier: GPL-3.0-or-later
"""Each driver on a real disk, address and unit: bad luck and bad input get one clear answer, and nothing is lost."""
import json

from labdriver import TARGET, Drivers


def play(t):
    d = Drivers(t)
    one = d.lab.node(1)

    with t.step("target and portal: unknown, refused, unreachable"):
        d.fails(1, "prepare", "login_refused", "nodisk", config=d.config("test:disk", "test:nodisk"))
        d.fails(1, "prepare", "target_down", "192.0.2.1:3999", config=d.config("192.0.2.1,", '"192.0.2.1:3999",'))
        d.fails(1, "prepare", "target_down", "192.0.2.77:3260", config=d.config("192.0.2.1,", "192.0.2.77,"))

    with t.step("volume group: not prepared, missing, missing volume, wrong filesystem, auto-activation"):
        if not one.sh("iscsiadm -m session", check=False).out:
            d.op(1, "prepare")
        if d.op(1, "prepare")["result"] != "ok":
            d.fails(1, "prepare", "not_prepared", "no epoch record")
        d.ok(1, "volume_prepare")
        first = d.ok(1, "prepare")
        d.ok(1, "volume_prepare")
        t.equal(d.ok(1, "prepare").get("epoch"), first.get("epoch"), "prepared twice changes nothing")
        d.fails(1, "prepare", "vg_missing", "nope", config=d.config("vg: vgcluster", "vg: nope"))
        d.fails(1, "start", "lv_missing", "nope", config=d.config("lv: lv0", "lv: nope"))
        d.fails(1, "start", "wrong_fs", "holds ext4, not xfs", config=d.config("fs: ext4", "fs: xfs"))
        one.run("vgchange", "-q", "--setautoactivation", "y", "vgcluster")
        d.fails(1, "start", "not_prepared", "automatically")
        d.ok(1, "volume_prepare")
        d.fails(1, "prepare", "mount_busy", "/srv/nothere", config=d.config("mount: /var/www/html", "mount: /srv/nothere"))
        d.inactive(1)
        t.equal(d.ok(1, "prepare").get("epoch"), first.get("epoch"), "nothing of this took an epoch")

    with t.step("start, what LVM thinks of it, stop"):
        epoch = d.ok(1, "start")["epoch"]
        t.check(epoch > first.get("epoch", 0), f"a new epoch: {epoch}")
        ours = one.run("dmsetup", "table", "vgcluster-lv0").out
        t.equal(one.run("lvs", "--noheadings", "-o", "lv_active,lv_device_open", "vgcluster/lv0").out.split(), ["active", "open"],
                "LVM knows it")
        t.equal(d.ok(1, "start")["epoch"], epoch, "a second start changes nothing")
        d.ok(1, "probe", wanted="active")
        d.ok(1, "monitor", wanted="healthy")
        d.ok(1, "stop")
        d.inactive(1)
        one.run("lvchange", "-ay", "vgcluster/lv0")
        t.equal(one.run("dmsetup", "table", "vgcluster-lv0").out, ours, "the table that LVM itself would load")
        d.fails(1, "start", "lv_active_foreign", "Stockade did not do it")  # SAFE-10
        one.run("lvchange", "-an", "vgcluster/lv0")

    with t.step("SAFE-1: a live owner is not taken over; one that let go of a dead disk is"):
        d.ok(1, "start")
        d.ok(2, "prepare")
        alive = [{"node": 1, "boot": d.boot(1)}]
        d.fails(2, "start", "owner_alive", "node1", members=alive)
        d.inactive(2)
        d.lab.host("kill", "-STOP", d.tgtd())
        try:
            one.sh("dd if=/dev/zero of=/var/www/html/blob bs=64k count=40 2>/dev/null", check=False)
            got = d.ok(1, "kill", limit_ms=60000)
            t.equal(got.get("record"), "active", "it could not write that it let go")
            d.inactive(1)
        finally:
            d.lab.host("kill", "-CONT", d.tgtd())
        d.fails(2, "start", "owner_alive", "node1", members=alive)
        d.ok(2, "start", members=alive, released=1 << 40)
        d.ok(2, "stop")
        d.inactive(2)

    with t.step("a busy mount is named, killed on request; a private namespace too"):
        d.ok(1, "prepare")
        d.ok(1, "start")
        one.run("systemd-run", "-q", "--unit=holder", "sh", "-c", "cd /var/www/html; trap '' TERM; while :; do sleep 1; done")
        one.sh("until [ -d /proc/$(systemctl show -P MainPID holder)/cwd/lost+found ]; do sleep 0.1; done")
        d.fails(1, "stop", "mount_busy", "sh (")
        d.ok(1, "kill")
        d.inactive(1)
        d.ok(1, "start")
        one.run("systemd-run", "-q", "--unit=hidden", "unshare", "-m", "--propagation", "private", "sleep", "1000")
        one.sh("until pgrep -x sleep; do sleep 0.1; done")
        d.fails(1, "stop", "mount_busy", "another mount namespace")
        d.ok(1, "kill")
        d.inactive(1)

    with t.step("an ext4 error is seen, and mended at the next start"):
        d.ok(1, "start")
        one.sh("echo test > /sys/fs/ext4/dm-0/trigger_fs_error; sleep 0.3")
        d.fails(1, "monitor", "fs_errors", "errors")
        d.ok(1, "stop")
        steps = [line.get("step") for line in d.ok(1, "start")["lines"]]
        t.check("volume.fsck" in steps, f"e2fsck ran: {steps}")
        d.ok(1, "monitor", wanted="healthy")

    with t.step("a volume that grew on its owner is known at the next start"):
        one.run("lvextend", "-q", "-L", "+4M", "vgcluster/lv0")
        d.ok(1, "stop")
        d.ok(2, "prepare")
        d.ok(2, "start")
        t.equal(d.lab.node(2).sh("dmsetup table vgcluster-lv0 | wc -l").out.strip(), "2", "both pieces are in the table")
        d.ok(2, "stop")

    with t.step("an LV with a snapshot is activated by LVM itself"):
        one.run("lvcreate", "-q", "-s", "-L", "8M", "-n", "snap", "vgcluster/lv0", "-y")
        one.run("vgchange", "-q", "-an", "vgcluster")
        d.ok(1, "start")
        d.ok(1, "probe", wanted="active")
        d.ok(1, "stop")
        one.run("vgchange", "-q", "-an", "vgcluster")
        one.run("lvremove", "-q", "-y", "vgcluster/snap")
        d.inactive(1)

    with t.step("both copies of the epoch record damaged: refused"):
        place = json.loads(one.run("cat", "/run/stockade/volume-webdata.plan").out)
        at, disk = place["area_offset"] + place["area_slot"] * 524288, place["pvs"][place["area_pv"]]["path"]
        d.ok(1, "prepare")
        one.sh(f"for i in 0 64; do dd if={disk} of=/root/b$i bs=4096 count=1 skip=$(({at} / 4096 + i)) iflag=direct 2>/dev/null; done")
        one.sh(f"echo junk | dd of={disk} bs=1 seek=$(({at} + 40)) conv=notrunc 2>/dev/null; sync")
        d.ok(1, "start")  # one copy is enough
        d.ok(1, "stop")
        one.sh(f"for i in 0 64; do echo junk | dd of={disk} bs=1 seek=$(({at} + i * 4096 + 40)) conv=notrunc 2>/dev/null; done; sync")
        d.fails(1, "start", "not_prepared", "damaged")
        d.fails(1, "volume_prepare", "not_prepared", "damaged")  # SAFE-1: never papered over
        d.inactive(1)
        one.sh(f"for i in 0 64; do dd if=/root/b$i of={disk} bs=4096 seek=$(({at} / 4096 + i)) oflag=direct conv=notrunc 2>/dev/null; done")
        d.ok(1, "prepare")

    with t.step("the address: in use by another machine"):
        d.ok(1, "start", "web/2")
        got = d.fails(2, "start", "address_in_use", "52:54:00:00:00:01", "web/2")
        t.check("ip.add" not in json.dumps(got["lines"]), "nothing was added")
        d.ok(2, "probe", "web/2", wanted="inactive")
        d.ok(1, "monitor", "web/2", wanted="healthy")
        d.ok(1, "stop", "web/2")
        d.ok(2, "start", "web/2")
        d.ok(2, "stop", "web/2")

    with t.step("the unit: enabled at boot, masked, missing, started, stopped"):
        d.ok(1, "start", "web/1")
        d.ok(1, "monitor", "web/1", wanted="healthy")
        d.ok(1, "stop", "web/1")
        d.ok(1, "monitor", "web/1", wanted="inactive")
        one.run("systemctl", "enable", "-q", "apache2")
        d.fails(1, "start", "unit_enabled", "apache2", "web/1")
        one.run("systemctl", "disable", "-q", "apache2")
        one.run("systemctl", "mask", "-q", "apache2")
        d.fails(1, "prepare", "unit_missing", "masked", "web/1")
        one.run("systemctl", "unmask", "-q", "apache2")
        d.fails(1, "prepare", "unit_missing", "nounit", "web/1", config=d.config("apache2", "nounit"))

    with t.step("CHAP: refused without, taken with the secret, which is in no command line"):
        for args in (("account", "--op", "new", "--user", "stock", "--password", "s3cret.pass.word"),
                     ("account", "--op", "bind", "--tid", "1", "--user", "stock")):
            d.lab.host("tgtadm", "--lld", "iscsi", "--mode", *args)
        one.run("iscsiadm", "-m", "node", "-T", TARGET, "-u")
        d.fails(1, "prepare", "login_refused", "CHAP")
        chap = d.config('test:disk"', 'test:disk", username: stock, password_file: /etc/stockade/chap')
        one.put("/etc/stockade/chap", "s3cret.pass.word\n", 0o600)
        d.ok(1, "prepare", config=chap)
        t.equal(one.sh("grep -c s3cret /etc/iscsi/iscsid.conf; ls /run/stockade | grep -c chap", check=False).out.split(), ["0", "0"],
                "the secret was not left behind")
