# SPDX-License-Identifier: GPL-3.0-or-later
"""Pacemaker's fencer, alone and without a cluster, runs our agents: what it reads in their metadata, monitor, list, status, fencing.
It lives in the guest's network namespace (its sockets are abstract), with a /var/lib/pacemaker and /var/log of its own.
"""
import os
import signal
import subprocess
import time

from lab import BUILD, OUR_XVM, Lab, check, equal

CLAIMS = ("pacemaker_reads_our_metadata", "pacemaker_fences_by_our_agents", "pacemaker_is_told_the_truth_about_failures")
FENCER = "/usr/lib/pacemaker/pacemaker-fenced"
SCHEMA = "/usr/share/cluster/relaxng/metadata.rng"
AGENTS = {"stockade-fence_xvm": OUR_XVM,
          "stockade-fence_ipmilan": os.path.join(BUILD, "fence_agents/ipmilan/fence_ipmilan"),
          "stockade-fence_scsi": os.path.join(BUILD, "fence_agents/scsi/fence_scsi")}


class Fencer:
    """stonith_admin and the fencer share a mount namespace in which our agents are in /usr/sbin, as make install puts them."""

    def __init__(self, lab):
        self.lab = lab
        sbin = f"{lab.dir}/sbin"
        os.makedirs(sbin)
        lines = ["mount --make-rprivate /"]
        # an overlay needs no copy of /usr/sbin
        os.makedirs(f"{lab.dir}/work")
        os.makedirs(f"{lab.dir}/over", exist_ok=True)
        for name, path in AGENTS.items():
            os.symlink(path, f"{sbin}/{name}")
        lines += ["mount -t tmpfs tmpfs /var/lib/pacemaker", "mkdir /var/lib/pacemaker/cores", "mkdir -p /var/log/pacemaker",
                  "mount -t tmpfs tmpfs /var/log/pacemaker", "mount -t tmpfs tmpfs /dev/shm",
                  f"mount -t overlay overlay -o lowerdir={sbin}:/usr/sbin /usr/sbin"]
        self.script = lab.write("fencer", "#!/bin/sh\nset -e\n" + "\n".join(lines) + f"\nexec {FENCER} --stand-alone -l {lab.dir}/fencer.log\n", 0o700)
        self.p = None

    def __enter__(self):
        out = open(f"{self.lab.dir}/fencer.out", "wb")
        self.p = subprocess.Popen(["ip", "netns", "exec", self.lab.guest, "setpriv", "--pdeathsig", "KILL", "unshare", "-m",
                                   self.script], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        out.close()
        end = time.monotonic() + 20
        time.sleep(0.3)
        while self.admin("--list-registered").rc not in (0, 1) or self.p.poll() is not None:
            check(self.p.poll() is None and time.monotonic() < end, f"the fencer does not start: {self.admin('--list-registered')} {self.words()}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()

    def words(self):
        text = ""
        for name in ("fencer.out", "fencer.log"):
            if os.path.exists(f"{self.lab.dir}/{name}"):
                with open(f"{self.lab.dir}/{name}", encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return text[-1500:]

    def admin(self, *args):
        return self.lab.run(["nsenter", f"--mount=/proc/{self.p.pid}/ns/mnt", "stonith_admin", "--timeout", "20", *args],
                            timeout=60)


def pacemaker_reads_our_metadata():
    with Lab() as lab, Fencer(lab) as f:
        for name in AGENTS:
            r = f.admin("--metadata", "--agent", name)
            check(r.rc == 0 and "<resource-agent name=\"fence_" in r.out, f"{name}: {r}")
            # The agent's own words, by the schema of the ClusterLabs agents (package fence-agents); Pacemaker adds to them.
            own = lab.run([AGENTS[name]], stdin="action=metadata\n")
            for text, rc in ((own.out, 0), (own.out.replace("longdesc>", "description>"), 3)):
                xml = lab.write("metadata.xml", text)
                v = lab.run(["xmllint", "--noout", "--relaxng", SCHEMA, xml])
                equal(v.rc, rc, f"{name} by {SCHEMA}: {v}")
        # it gives a target of its own, by the old name port
        key = ("--option", f"key_file={lab.key}")
        equal(f.admin("--validate", "--agent", "stockade-fence_xvm", *key).rc, 0, "validate")
        r = f.admin("--validate", "--agent", "stockade-fence_xvm", *key, "--option", "hash=md5")
        check(r.rc != 0 and "md5" in r.out + r.err, f"validate of nonsense: {r}")


def register(f, lab, **more):
    values = {"key_file": lab.key, "pcmk_host_map": "node1:first;node2:second", "timeout": "5", **more}
    options = [w for k, v in values.items() for w in ("--option", f"{k}={v}")]
    r = f.admin("--register", "vm", "--agent", "stockade-fence_xvm", *options)
    equal(r.rc, 0, f"register: {r} {f.words()}")


def pacemaker_fences_by_our_agents():
    for stock in (True, False):
        with Lab() as lab:
            lab.virtd(stock=stock, uri=lab.machines(["first", "second"]))
            with Fencer(lab) as f:
                register(f, lab)
                r = f.admin("--list", "node1")
                check(r.rc == 0 and "vm" in r.out, f"who can fence node1: {r}")
                r = f.admin("--query", "vm")
                equal(r.rc, 0, f"monitor and status of the device: {r} {f.words()}")
                r = f.admin("--fence", "node1")
                equal(r.rc, 0, f"off of node1: {r} {f.words()}")
                equal((lab.ask("status", "first").rc, lab.ask("status", "second").rc), (2, 0), "the guests after off")
                r = f.admin("--unfence", "node1")
                equal(r.rc, 0, f"on of node1: {r} {f.words()}")
                r = f.admin("--reboot", "node2")
                equal(r.rc, 0, f"reboot of node2: {r} {f.words()}")
                equal((lab.ask("status", "first").rc, lab.ask("status", "second").rc), (0, 0), "the guests after on and reboot")


def pacemaker_is_told_the_truth_about_failures():
    """A guest that is not there, and a hypervisor that is not there: fencing failed (SAFE-3)."""
    with Lab() as lab:
        d = lab.virtd(stock=True, uri=lab.machines(["first"]))
        with Fencer(lab) as f:
            register(f, lab, timeout="1", pcmk_reboot_retries="1", pcmk_off_retries="1")
            r = f.admin("--fence", "node2")
            check(r.rc != 0, f"off of a guest that is nowhere: {r}")
            d.stop()
            r = f.admin("--fence", "node1")
            check(r.rc != 0, f"off without a hypervisor: {r}")
