# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes fenced by fence_scsi alone: the peer takes over from a paused owner by a storage cut; resumed, it writes nothing (SAFE-1)."""
import time

import cluster
import labtarget
from cluster import VIP, Cluster

VG = "vglio"
MAKE = """set -e
pvcreate -q {disk}
vgcreate -q --setautoactivation n {vg} {disk}
lvcreate -q -y -L 40M -n lv0 {vg}
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/{vg}/lv0
mount /dev/{vg}/lv0 /mnt
echo '<!doctype html><title>Stockade</title><p>served from the shared volume</p>' >/mnt/index.html
: >/mnt/records.txt
chown www-data /mnt/records.txt
umount /mnt
vgchange -q -an {vg}"""


def config(portal, disk):
    """The laboratory's configuration, with the kernel's target and nothing but reservations to fence with."""
    text = cluster.config(2, portal=portal, fence={1: "[{san: node1}]", 2: "[{san: 2}]"})  # a plug is a name, or an id
    text = text.replace("vm: {agent: fence_xvm, key_file: /etc/cluster/fence_xvm.key}", f"san: {{agent: fence_scsi, devices: {disk}}}")
    text = text.replace(cluster.L.TARGET, labtarget.IQN).replace(f"vg: {cluster.L.VG}", f"vg: {VG}, reservations: true")
    assert "san: {agent" in text and "reservations" in text
    return text


def after(t, c, node, name):
    """What the disk holds when nobody uses it: (exit code of e2fsck -fn, records)."""
    node.sh(f"lvchange -ay {VG}/lv0")
    fsck = node.run("e2fsck", "-fn", f"/dev/{VG}/lv0", check=False, timeout=120)
    t.equal(fsck.code, 0, f"e2fsck -fn after a clean stop: {fsck.out[-400:]}")
    node.sh(f"mount -o ro /dev/{VG}/lv0 /mnt")
    records = node.get("/mnt/records.txt")
    node.sh(f"umount /mnt; lvchange -an {VG}/lv0")
    return records


def play(t):
    lab = t.lab(nodes=3, fence_virtd=False)
    storage = labtarget.Target(lab.node(3))
    with t.step("a target of the kernel's own in node3, a volume on it"):
        storage.up()
        disk = storage.login(lab.node(1))
        lab.node(1).sh(MAKE.format(disk=disk, vg=VG), timeout=180)
        lab.node(1).sh("iscsiadm -m node --logout >/dev/null")
    c = Cluster(t, lab=lab, serve=False, conf=config(storage.portal, disk))
    c.start(1)  # the service is placed on node1, and waits until node2, which only stands by, has registered too (SAFE-6)
    c.start(2)
    with t.step("volume prepared, service running"):
        c.prepare()
        first = c.wait_running()
        c.probe = lab.http(f"http://{VIP}/").__enter__()
        c.writer = lab.appender(f"http://{VIP}/cgi-bin/append").__enter__()
        t.closers.append(c.stop_clients)
        t.until(lambda: len(c.writer.acked) >= 3, 60, "the first records are acknowledged")
    other = "node2" if first == "node1" else "node1"
    owner, peer = lab.node(first), lab.node(other)
    owner.run("sync")  # it will reset itself; what it was given at the start of the laboratory has to be there then

    with t.step(f"{first} is paused: {other} cuts it off, proves that, and serves"):
        at = time.monotonic()
        owner.pause()
        served = c.wait_served(other, since=at)
        t.equal(owner.state()[0], "paused", f"{first} was not switched off by anybody")
        seen = c.seen(other, first)
        proof, boot = seen.get("proof") or {}, seen["boot_id"]
        t.equal(proof.get("kind"), "storage_cut", f"the proof: {proof}")
        t.say(f"          first record by {other} after {served[1] - at:.2f} s; {proof.get('evidence', '')}")
    with t.step(f"{first} is resumed: the disk refuses it, it lets go or reboots, and comes back as another life"):
        owner.resume()
        t.until(lambda: c.seen(other, first).get("state") == "member", 180, f"{first} is a member again: {c.seen(other, first)}", 0.5)
        t.check(c.seen(other, first)["boot_id"] != boot, "it came back as another life")
        acked = [a for a in c.writer.acked if a[1] > served[1] and a[2] == first]
        t.equal(acked, [], f"records that {first} acknowledged after it was cut off (SAFE-1)")
        t.equal(c.server(), other, "the service stays")
    with t.step(f"back to {first}: it registers by itself"):
        t.until(lambda: c.stockade(peer.number, "service", "relocate", "web", first, check=False, timeout=90).code == 0, 90,
                f"{first} takes it back", 1)
        c.wait_running(on=first, by=peer.number)
        c.wait_served(first, since=time.monotonic())
    with t.step("service stopped cleanly, disk looked at"):
        c.stop_clients()
        c.command(owner.number, "service", "disable", "web")
        missing = c.writer.missing_from(after(t, c, owner, first))
        t.equal(missing, [], f"acknowledged records (of {len(c.writer.acked)}) that are not on the disk")
    t.say(f"          {len(c.writer.acked)} records acknowledged, none missing; longest outage {c.downtime():.2f} s")
