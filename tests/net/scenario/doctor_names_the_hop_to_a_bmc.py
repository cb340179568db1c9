# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence --local names the hop of a fence_ipmilan path that drops, and of disks and watchdogs what is local to a node.

Method: a node and a BMC (tests/bmc) in network namespaces; for each row one thing is broken, and the cause compared. fence_scsi with
a disk is played by a stand-in that says its sentences (the real ones: tests/vm reservations).
"""
import json
import os
import shutil
import subprocess

from guest import Guest, Rows, hosts
from scene import Skip, built


class Node(Guest):
    """The guest of that scenario as a machine; its peer's BMC is where the hypervisor was."""

    bmc = None

    def start(self, *options):
        self.stop()
        with open(f"{self.dir}/power", "w", encoding="ascii") as f:
            f.write("on\n")
        self.bmc = subprocess.Popen(["ip", "netns", "exec", self.hosts[0], "setpriv", "--pdeathsig", "KILL", built("tests/bmc/test_bmc"),
                                     "--port", "623", "--bind", "10.99.0.1", "--state", f"{self.dir}/power", *options],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        hosts.equal(self.bmc.stdout.readline(), "ready\n", "the BMC's first word")

    def stop(self):
        if self.bmc:
            self.bmc.kill()
            self.bmc.wait()
            self.bmc.stdout.close()
        self.bmc = None

    def __exit__(self, *exc):
        self.stop()
        super().__exit__(*exc)

    def device(self, text, own="{agent: /bin/false}", extra=""):
        self.yaml = self.write("stockade.yaml", (
            "cluster: lab\ndetect: 3s\nnodes:\n  n1: {id: 1, link0: 10.99.0.99, fence: [{own: }]}\n"
            "  n2: {id: 2, link0: 10.99.0.98, fence: [{bmc: n2}]}\n"
            f"fence_devices:\n  own: {own}\n  bmc: {text}\n{extra}"))

    def ipmi(self, ip="10.99.0.1", user="admin", password="fxpass", more=""):
        agent = os.path.join(hosts.BUILD, "fence_agents/ipmilan/fence_ipmilan")
        secret = self.write("secret", password + "\n")
        self.device(f"{{agent: {agent}, ip: {ip}, username: {user}, password_file: {secret}{more}}}")


def play(t):
    if not shutil.which("nft"):
        raise Skip("nft is not installed")
    rows = Rows(t)
    row = rows.row

    with Node() as lab:
        guest, host = lab.guest, lab.hosts[0]
        lab.ipmi()
        lab.start()
        row(lab, "ok", member=True)
        for _, got in rows.dropped(
                lab,
                ("firewall-out", guest, "output udp dport 623 drop"),
                ("firewall-in", guest, "input udp sport 623 drop"),
                ("no-rmcp", host, "input udp dport 623 drop"),
                ("firewall-udp", host, "input udp dport 623 reject with icmpx admin-prohibited")):
            t.check(got["seen"], f"what was seen: {got}")
        lab.ipmi(user="nobody")
        row(lab, "wrong-user")
        lab.ipmi(password="nope")
        row(lab, "wrong-password")
        lab.ipmi(ip="10.99.0.50")
        row(lab, "no-host")
        lab.ipmi(ip="10.55.0.1")
        row(lab, "no-route")
        lab.ipmi(ip="nobody.invalid")
        row(lab, "name")
        lab.ipmi()
        with open(f"{lab.dir}/power", "w", encoding="ascii") as f:
            f.write("off\n")
        row(lab, "plug-of-another", member=True)
        row(lab, "ok")
        os.chmod(f"{lab.dir}/secret", 0o644)
        row(lab, "secret")
        os.chmod(f"{lab.dir}/secret", 0o600)
        for want, *options in (("cipher-refused", "--suites", "3"), ("privilege", "--level", "user"),
                               ("state-unreadable", "--fault", "no-status=0xc0"), ("no-rmcp", "--fault", "deaf"),
                               ("state-unreadable", "--fault", "deaf-in-session=2"), ("bmc-busy", "--fault", "deaf-in-session=1"),
                               ("bmc-busy", "--fault", "busy"), ("no-ipmi2", "--fault", "old"), ("wrong-kg", "--kg", "another key")):
            lab.start(*options)
            row(lab, want)
        lab.ipmi(more=", hexadecimal_kg: " + b"another key".hex())
        row(lab, "ok")
        lab.start("--kg", "and another")
        row(lab, "wrong-kg")
        lab.ipmi()
        lab.stop()
        got = row(lab, "no-rmcp")  # nobody listens there: the machine says so
        t.check(any("port unreachable" in s for s in got["seen"]), f"what came back: {got}")

        # disks: what needs none, by the agent itself; no corosync can be heard in this network namespace
        scsi = built("fence_agents/scsi/fence_scsi")
        lab.device(f"{{agent: {scsi}, devices: /dev/no-such-disk}}")
        row(lab, "corosync-down")
        lab.device(f'{{agent: {scsi}, devices: /dev/no-such-disk, cluster_name: lab, nodeid: "1"}}')
        row(lab, "disk-missing")
        # the others by a stand-in's words
        for want, words in (
                ("no-reservations", "sda: the target has no persistent reservations: use another target, or another agent"),
                ("forgets-registrations", "sda: the target forgets registrations when it restarts: a node that was cut off could write again"),
                ("no-preempt-and-abort", "sda: the target cannot PREEMPT AND ABORT (tgt cannot, LIO can)"),
                ("path-missing", "a registration is missing: a path is not registered, or nothing is reserved; action=repair mends it"),
                ("this-node-is-cut", "sda: this node was cut off from the disk and still has data from before: reboot it"),
                ("ok", None)):
            os.makedirs(f"{lab.dir}/bin", exist_ok=True)
            agent = lab.write("bin/fence_scsi", "#!/bin/sh\n" + (f"echo 'fence_scsi: {words}' >&2\nexit 1\n" if words else "exit 0\n"), 0o755)
            lab.device(f"{{agent: {agent}, devices: /dev/sda}}")
            got = row(lab, want)
            t.check(not words or words[:20] in json.dumps(got), f"the agent's words: {got}")

        # this node's own watchdog, which is not there
        lab.device("{agent: /bin/true}", "{agent: watchdog}", f"watchdog: {{device: {lab.dir}/no-watchdog}}\n")
        got = lab.doctor_own()
        t.equal(got["cause"], "watchdog-missing", f"{got}")
        t.equal(got["node"], "n1", "whose watchdog")
    rows.say()
