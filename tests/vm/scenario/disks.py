# SPDX-License-Identifier: GPL-3.0-or-later
"""Other disks and addresses than the usual: XFS, a volume over two disks, a disk under multipath, an IPv6 address."""
import importlib.util
import os

import lab as L

spec = importlib.util.spec_from_file_location("drivers", os.path.join(os.path.dirname(__file__), "drivers.py"))
drivers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(drivers)
PORTAL = "192.0.2.1"
VIP6 = "2001:db8::100"
BY_PATH = f"/dev/disk/by-path/ip-{PORTAL}:3260-iscsi-{L.TARGET}-lun-"


def more_disks(d, luns=(2, 3), mib=340):
    """Further LUNs of the target; both nodes log in."""
    for n in luns:
        path = f"{d.lab.dir}/lun{n}.img"
        d.lab.host("truncate", "-s", f"{mib}M", path)
        unit = ("--lld", "iscsi", "--mode", "logicalunit", "--tid", "1", "--lun", str(n))
        d.lab.host("tgtadm", *unit, "--op", "new", "-b", path)
        d.lab.host("tgtadm", *unit, "--op", "update", "--params", f"scsi_id=stockade-lab-000{n},scsi_sn=lab000{n}")
    for node in (1, 2):
        d.op(node, "prepare")
        d.lab.node(node).sh(f"for i in $(seq 100); do [ -e {BY_PATH}{luns[-1]} ] && exit; sleep 0.1; done; exit 1")


def play(t):
    d = drivers.Drivers(t)
    one, two = d.lab.node(1), d.lab.node(2)
    alive = [{"node": 1, "boot": d.boot(1)}, {"node": 2, "boot": d.boot(2)}]
    with t.step("three LUNs; a volume group over two of them"):
        more_disks(d)
        one.sh(f"set -e; pvcreate -q {BY_PATH}2; vgextend -q {L.VG} {BY_PATH}2; lvextend -q -l +100%PVS {L.VG}/{L.LV} $(realpath {BY_PATH}2); "
               f"vgchange -q -an {L.VG}", timeout=120)
        d.ok(1, "volume_prepare")
        d.ok(1, "prepare")
        d.ok(1, "start")
        rows = one.run("dmsetup", "table", "vgcluster-lv0").out.split("\n")
        t.equal(len({row.split()[3] for row in rows if row}), 2, f"two disks are in the table {rows}")
        one.sh("set -e; resize2fs /dev/dm-0 2>/dev/null; cd /var/www/html; fallocate -l 400M blob; "
               "dd if=/dev/urandom of=blob bs=1M count=4 seek=396 conv=notrunc 2>/dev/null; sync; tail -c 4M blob | md5sum > sum", timeout=120)
        d.ok(1, "stop")
        d.ok(2, "prepare")
        d.ok(2, "start", members=alive)
        two.sh("cd /var/www/html; tail -c 4M blob | md5sum | cmp - sum")
        d.ok(2, "stop")
        d.inactive(2)

    with t.step("one of the two disks is gone: named, nothing started, nothing lost"):
        unit = ("--lld", "iscsi", "--mode", "logicalunit", "--tid", "1", "--lun", "2")
        for node in (one, two):
            node.sh("iscsiadm -m node --logout", check=False)
        d.lab.host("tgtadm", *unit, "--op", "delete")
        d.fails(1, "prepare", "vg_missing", "lacks 1 of its disks")
        d.fails(1, "start", "vg_missing", "lacks 1 of its disks", members=alive)
        d.inactive(1)
        one.sh("iscsiadm -m node --logout", check=False)
        d.lab.host("tgtadm", *unit, "--op", "new", "-b", f"{d.lab.dir}/lun2.img")
        d.lab.host("tgtadm", *unit, "--op", "update", "--params", "scsi_id=stockade-lab-0002,scsi_sn=lab0002")
        d.ok(1, "prepare")
        d.ok(1, "start", members=alive)
        d.ok(1, "stop")

    with t.step("a disk under multipath: refused before anything is active"):
        for n in (1, 2):
            one.sh(f"dmsetup create mpath{n} --uuid mpath-lab{n} --table "
                   f"\"0 $(blockdev --getsz {BY_PATH}{n}) linear {BY_PATH}{n} 0\"")
        d.fails(1, "start", "disk_claimed", "mpath1 (multipath)", members=alive)
        d.fails(1, "prepare", "disk_claimed", "multipath")
        d.fails(1, "volume_prepare", "disk_claimed", "multipath")
        one.run("dmsetup", "remove", "mpath1", "mpath2")
        d.inactive(1)
        d.ok(1, "prepare")

    with t.step("XFS: prepared, started, written, moved"):
        one.sh(f"set -e; pvcreate -q {BY_PATH}3; vgcreate -q vgx {BY_PATH}3; lvcreate -q -y -l 80 -n lvx vgx; mkfs.xfs -q /dev/vgx/lvx; "
               "vgchange -q -an vgx", timeout=120)
        xfs = d.config("""    vg: vgcluster
    lv: lv0
    fs: ext4
""", """    vg: vgx
    lv: lvx
    fs: xfs
""")
        wrong = d.config("""    vg: vgcluster
    lv: lv0
""", """    vg: vgx
    lv: lvx
""")
        d.fails(1, "prepare", "not_prepared", "automatically", config=xfs)
        d.ok(1, "volume_prepare", config=xfs)
        d.fails(1, "start", "wrong_fs", "holds xfs, not ext4", config=wrong)
        d.inactive(1)
        d.ok(1, "start", config=xfs)
        t.check(" xfs " in one.sh("grep /var/www/html /proc/mounts").out, "XFS is mounted")
        one.sh("echo one > /var/www/html/word; sync")
        d.ok(1, "monitor", wanted="healthy", config=xfs)
        d.ok(1, "stop", config=xfs)
        d.ok(2, "prepare", config=xfs)
        d.ok(2, "start", config=xfs, members=alive)
        t.equal(two.run("cat", "/var/www/html/word").out.strip(), "one", "what the other node wrote")

    with t.step("XFS: an error shuts it down, monitor says so, a restart mends it"):
        two.sh("xfs_io -x -c 'shutdown -f' /var/www/html")
        d.fails(2, "monitor", "fs_errors", "", config=xfs)
        d.ok(2, "stop", config=xfs)
        d.ok(2, "start", config=xfs)
        d.ok(2, "monitor", wanted="healthy", config=xfs)

    with t.step("an IPv6 address: added, announced, watched, refused beside another machine"):
        six = d.config("ip: 192.0.2.100/24", f"ip: {VIP6}/64")
        d.fails(1, "prepare", "no_interface", VIP6, "web/2", config=six)
        d.lab.host("ip", "-6", "addr", "add", "2001:db8::1/64", "dev", "br0", "nodad")
        for n, node in ((1, one), (2, two)):
            node.run("ip", "-6", "addr", "add", f"2001:db8::1{n}/64", "dev", "eth0", "nodad")
        # a refused connection is an answer of the machine that has the address
        answers = lambda: t.check("refused" in d.lab.host(  # noqa: E731
            "timeout", "3", "bash", "-c", f"(echo > /dev/tcp/{VIP6}/9) 2>&1", check=False), f"{VIP6} answers")
        d.ok(1, "prepare", "web/2", config=six)
        d.ok(1, "start", "web/2", config=six)
        d.ok(1, "monitor", "web/2", wanted="healthy", config=six)
        answers()
        owner = lambda: d.lab.host("ip", "-6", "neigh", "show", VIP6).split("lladdr ")[-1].split()[0]  # noqa: E731
        t.equal(owner(), "52:54:00:00:00:01", "who has the address, as the host learnt it")
        got = d.fails(2, "start", "address_in_use", "52:54:00:00:00:01", "web/2", config=six)
        t.check("ip.add" not in str(got["lines"]), "nothing was added")
        d.ok(2, "probe", "web/2", wanted="inactive", config=six)
        d.ok(1, "stop", "web/2", config=six)
        d.ok(2, "start", "web/2", config=six)
        t.until(lambda: owner() == "52:54:00:00:00:02", 2, "the host hears of the move without asking (unsolicited NA)")
        t.check("tentative" not in two.run("ip", "-6", "addr", "show", "dev", "eth0").out, "the kernel does not wait for its own check")
        answers()
        d.ok(2, "stop", "web/2", config=six)

    with t.step("XFS after power loss: the log is replayed, nothing acknowledged is lost"):
        two.sh("for i in $(seq 50); do echo $i > /var/www/html/f$i; done; sync -f /var/www/html/f50; echo late > /var/www/html/late; "
               "sync /var/www/html/late")
        two.poweroff()
        d.ok(1, "prepare", config=xfs)
        alive1 = [{"node": 1, "boot": d.boot(1)}]
        d.fails(1, "start", "owner_alive", "node2", config=xfs, members=alive)
        d.ok(1, "start", config=xfs, members=alive1, dirty=True, released=1 << 40)
        t.equal(one.sh("cat /var/www/html/late; ls /var/www/html | grep -c ^f").out.split(), ["late", "50"], "what was acknowledged")
        d.ok(1, "stop", config=xfs)
        one.sh("lvchange -q -ay vgx/lvx; xfs_repair -n /dev/vgx/lvx; code=$?; lvchange -q -an vgx/lvx; exit $code", timeout=60)
        d.inactive(1)
