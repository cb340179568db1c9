# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_scsi on a real target (LIO): a paused node that is cut off and resumed does not write one more block (SAFE-1, SAFE-3)."""
import json
import os
import time

import lab as L
import labtarget

BUILD = os.environ.get("STOCKADE_BUILD") or os.path.join(os.path.dirname(__file__), "../../../build")
AGENT = "/usr/local/bin/fence_scsi"
DOCTOR = "/usr/local/bin/stockade-fence-doctor"
# One numbered block after the other, each on the disk before the next; the first that is refused ends it.
WRITER = """i=0
while [ $i -lt 100000 ]; do
	printf '%-511d\\n' $i | dd of={disk} bs=512 seek=2048 count=1 conv=notrunc oflag=direct 2>/run/writer.err || exit 1
	i=$((i + 1)); echo $i > /run/writer.at
done"""


class Agents:
    def __init__(self, t, lab, disks):
        self.t, self.lab, self.disks = t, lab, disks

    def ask(self, n, action, timeout=60, **params):
        lines = dict(action=action, devices=self.disks[n], cluster_name="lab", nodeid=n, **params)
        res = self.lab.node(n).run(AGENT, stdin="".join(f"{k}={v}\n" for k, v in lines.items()), check=False, timeout=timeout)
        return res.code, (res.out + res.err).strip()

    def expect(self, n, action, code, words="", claim="", **params):
        got, text = self.ask(n, action, **params)
        self.t.equal(got, code, f"node{n} {action} {params} {claim}: {text}")
        self.t.check(words in text, f"node{n} {action}: it says {words!r}: {text!r}")


    def doctor(self, n, want, devices=None, plug=None, **params):
        """stockade doctor fence, of node @n's way to the other one's disks."""
        other = 3 - n
        more = "".join(f', {k}: "{v}"' for k, v in params.items())
        self.lab.node(n).put("/run/doctor.yaml", (
            f"cluster: lab\ndetect: 3s\nnodes:\n  node1: {{id: 1, link0: 192.0.2.11, fence: [{{disk: 1}}], unfence: {{disk: 1}}}}\n"
            f"  node2: {{id: 2, link0: 192.0.2.12, fence: [{{disk: {plug or 2}}}], unfence: {{disk: 2}}}}\nfence_devices:\n"
            f'  disk: {{agent: {AGENT}, devices: {devices or self.disks[n]}, cluster_name: lab, nodeid: "{n}"{more}}}\n'))
        res = self.lab.node(n).run(DOCTOR, "--config", "/run/doctor.yaml", "--node", f"node{n}", "--member", f"node{other}", check=False,
                                   timeout=60)
        self.t.equal(res.code, 0, f"the doctor: {res.out} {res.err}")
        got = [json.loads(line) for line in res.out.splitlines()][1]
        self.t.equal((got["node"], got["cause"]), (f"node{other}", want), f"{got}")


def last_block(lab, disk):
    out = lab.node(1).run("dd", f"if={disk}", "bs=512", "skip=2048", "count=1", "iflag=direct").out
    return int(out.split("\0", 1)[0].split()[0])


def play(t):
    lab = t.lab(nodes=3, fence_virtd=False)
    storage = labtarget.Target(lab.node(3))
    with open(f"{BUILD}/fence_agents/scsi/fence_scsi", "rb") as f:
        agent = f.read()
    with open(f"{BUILD}/fence_agents/doctor/stockade-fence-doctor", "rb") as f:
        doctor = f.read()
    with t.step("a target of the kernel's own in node3, node1 and node2 logged in"):
        storage.up()
        for n in (1, 2):
            lab.node(n).put(AGENT, agent, 0o755)
            lab.node(n).put(DOCTOR, doctor, 0o755)
        disks = {n: storage.login(lab.node(n)) for n in (1, 2)}
    a = Agents(t, lab, disks)

    with t.step("registered; each by itself, and only by itself"):
        a.expect(1, "monitor", 0)
        a.expect(1, "check", 1, "forgotten")
        a.expect(1, "status", 0, "ON", plug=2, claim="nothing is reserved, so it may write")
        a.expect(1, "on", 0, plug=1)
        a.expect(1, "status", 2, "OFF", plug=2, claim="reserved, and it is not registered")
        a.expect(1, "on", 1, "run it on 2", plug=2)
        a.expect(2, "on", 0, plug=2)
        a.expect(1, "status", 0, "ON", plug=2)
        a.expect(2, "check", 0, "good")
        a.expect(1, "off", 1, "does not cut off itself", plug=1)
        a.doctor(1, "ok")
        a.doctor(1, "disk-missing", devices="/dev/disk/by-id/nothing-of-the-kind")
        a.doctor(1, "corosync-down", plug="nobody")  # a name is corosync's to know, and it does not run here
        lab.node(1).run("modprobe", "scsi_debug", "dev_size_mb=8")  # a disk that knows no reservations; it stays
        found = t.until(lambda: lab.node(1).sh("ls /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block 2>/dev/null", check=False).out.strip(),
                        60, "its disk is there", 0.3)
        a.doctor(1, "no-reservations", devices=f"/dev/{found}")

    with t.step("node2 writes, is paused, is cut off, is resumed"):
        two = lab.node(2)
        two.sh(f"nohup sh -c '({WRITER.format(disk=disks[2])}); echo $? > /run/writer.end' >/dev/null 2>&1 </dev/null &")
        t.until(lambda: two.sh("cat /run/writer.at 2>/dev/null", check=False).out.strip() not in ("", *map(str, range(10))), 60, "it writes")
        two.pause()
        a.expect(1, "off", 0, plug=2)
        a.expect(1, "status", 2, "OFF", plug=2)
        before = last_block(lab, disks[1])
        two.resume()
        t.until(lambda: two.sh("cat /run/writer.end 2>/dev/null", check=False).out.strip() == "1", 60, "its writes are refused")
        time.sleep(1)
        t.equal(last_block(lab, disks[1]), before, "not one more block was written (SAFE-1)")
        t.check(before > 2, f"it had written before: {before}")
        log = two.sh("dmesg | grep -i 'reservation conflict' | tail -1", check=False).out
        t.check("reservation conflict" in log, "node2's kernel says why")

    with t.step("who was cut off stays out until it is another life"):
        a.expect(2, "check", 2, "cut off by another node")
        a.expect(2, "on", 1, "reboot it", plug=2)
        a.expect(2, "repair", 1, "reboot it")
        a.expect(2, "off", 1, "reboot it", plug=1, claim="it cuts nobody off")
        a.expect(1, "status", 0, plug=1)
        a.doctor(2, "this-node-is-cut")
        two.poweroff()  # not reset: README.md, and it had started many processes
        two.start()
        two.wait_booted(240)
        disks[2] = storage.login(two)
        two.put(AGENT, agent, 0o755)
        a.expect(2, "on", 0, plug=2)
        a.expect(1, "status", 0, "ON", plug=2)
        two.run("dd", "if=/dev/zero", f"of={disks[2]}", "bs=512", "seek=4096", "count=1", "oflag=direct")

    def checks(code, words):
        for n in (1, 2):
            t.until(lambda n=n: (lambda got: got[0] == code and words in got[1])(a.ask(n, "check")), 60,
                    f"node{n} is logged in again, and check says {words}")

    with t.step("a target restarts: registrations that it kept hold, those that it forgot are renewed"):
        storage.down()
        storage.up()
        checks(0, "good")
        a.expect(1, "off", 0, plug=2)
        storage.down()
        storage.up(keep=False)
        t.until(lambda: "forgotten" in a.ask(1, "check")[1], 60, "node1 sees that nobody is registered")
        a.doctor(1, "path-missing")
        a.expect(1, "repair", 0)
        a.expect(1, "status", 2, "OFF", plug=2)
        a.expect(2, "on", 1, "reboot it", plug=2, claim="it was cut off before, and the others are back")

    with t.step("a target that cannot abort commands in flight is refused, with the reason"):
        lab.node(1).sh(f"iscsiadm -m discoverydb -t st -p 198.51.100.1 --discover >/dev/null; "
                       f"iscsiadm -m node -T {L.TARGET} -p 198.51.100.1 --login >/dev/null; udevadm settle -t 10")
        a.disks[1] = f"/dev/disk/by-path/ip-198.51.100.1:3260-iscsi-{L.TARGET}-lun-1"
        a.expect(1, "monitor", 1, "forgets registrations when it restarts")
        a.expect(1, "monitor", 1, "cannot PREEMPT AND ABORT", volatile_ok=1)
        a.doctor(1, "forgets-registrations")
        a.doctor(1, "no-preempt-and-abort", volatile_ok="1")
        a.expect(1, "on", 1, "cannot PREEMPT AND ABORT", plug=1, volatile_ok=1)
        a.expect(1, "status", 0, "ON", plug=2, claim="nothing was left behind by the refusal")
