# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines for `stockade key`: each a network namespace of the lab with a host name, a boot id, a /mnt and a /run of its own, and a
real sshd that lets only our key in.
"""
import os
import shutil
import subprocess
import time
import uuid

import lab as lab_module
from lab import BUILD, OUR_VIRTD, OUR_XVM, STOCK_VIRTD, Result, sh

KEYFILE = "/mnt/cluster/fence_xvm.key"
STOCKADE = os.path.join(BUILD, "tools/stockade")
SSHD = "/usr/sbin/sshd"


class Machine:
    def __init__(self, lab, name, ns, address):
        self.lab, self.name, self.ns, self.address = lab, name, ns, address
        self.dir = f"{lab.dir}/{name}"
        os.makedirs(self.dir + "/virtd")
        self.daemons = []
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.dir}/host_key")
        with open(f"{self.dir}/boot", "w") as f:
            f.write(f"{uuid.uuid4()}\n")
        self.conf = lab.write(f"{name}/sshd_config", f"""
ListenAddress {address}
HostKey {self.dir}/host_key
AuthorizedKeysFile {lab.dir}/id.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
SetEnv PATH={BUILD}/tools:{BUILD}:/usr/sbin:/usr/bin:/sbin:/bin
""")
        script = (f"hostname {name} && mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir /mnt/cluster && "
                  f"mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd && "
                  f"mount --bind {self.dir}/boot /proc/sys/kernel/random/boot_id && exec {SSHD} -D -e -f {self.conf}")
        self.log = f"{self.dir}/sshd.log"
        with open(self.log, "ab") as out:
            self.p = subprocess.Popen(["nsenter", f"--net=/run/netns/{ns}", "setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-u",
                                       "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + 10
        while ":22 " not in sh("ip", "netns", "exec", ns, "ss", "-Hlnt"):
            if self.p.poll() is not None or time.monotonic() > end:
                with open(self.log) as f:
                    raise RuntimeError(f"sshd of {name}: {f.read()[-500:]}")
            time.sleep(0.02)

    def inside(self, *argv):
        return ["nsenter", "-t", str(self.p.pid), "-m", "-u", "-n", "--", *argv]

    def run(self, *argv, timeout=60, stdin=None):
        t0 = time.monotonic()
        p = subprocess.run(self.inside(*argv), input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=timeout, errors="replace")
        return Result(p.returncode, p.stdout, p.stderr, time.monotonic() - t0)

    def popen(self, *argv, **kw):
        return subprocess.Popen(self.inside("setpriv", "--pdeathsig", "KILL", *argv), stdin=subprocess.DEVNULL, **kw)

    def stockade(self, *argv, timeout=120):
        return self.run("env", f"HOME={self.lab.dir}", STOCKADE, "--config", f"{self.lab.dir}/stockade.yaml", *argv, timeout=timeout)

    def key(self, what, *more, timeout=120):
        return self.stockade("key", what, *more, *self.lab.key_options(what), timeout=timeout)

    def read(self, end=""):
        p = subprocess.run(self.inside("cat", KEYFILE + end), capture_output=True)
        return p.stdout if p.returncode == 0 else None

    def write(self, data, end="", mode=0o600):
        subprocess.run(self.inside("sh", "-c", f"umask 077; cat >{KEYFILE}{end}; chmod {mode:o} {KEYFILE}{end}"), input=data, check=True)

    def mode(self, end=""):
        return self.run("stat", "-c", "%u:%g:%a", KEYFILE + end).out.strip()

    def files(self):
        return sorted(self.run("ls", "-A", os.path.dirname(KEYFILE)).out.split())

    def virtd(self, stock=False, wait=True, tcp=False):
        """A fence_virtd on this machine, with its key file."""
        conf = self.lab.write(f"{self.name}/virt.conf",
                              f'fence_virtd {{ listener = "{"tcp" if tcp else "multicast"}"; backend = "libvirt"; }}\n'
                              f'listeners {{ tcp {{ key_file = "{KEYFILE}"; address = "{self.address}"; }}\n'
                              f'multicast {{ key_file = "{KEYFILE}"; interface = "eth0"; address = "225.0.0.12"; }} }}\n'
                              'backends { libvirt { uri = "test:///default"; } }\n')
        # what the tool finds the key file by
        shutil.copy(conf, f"{self.lab.dir}/virt.conf")
        argv = ["stdbuf", "-oL", STOCK_VIRTD, "-F", "-f", conf, "-p", f"{self.dir}/virtd.pid", "-d", "9"] if stock else \
            [OUR_VIRTD, "-f", conf, "--state-dir", f"{self.dir}/virtd"]
        self.vlog = f"{self.dir}/virtd.log"
        with open(self.vlog, "ab") as out:
            p = self.popen(*argv, stdout=out, stderr=out)
        self.daemons.append(p)
        end = time.monotonic() + 20
        while wait and (":1229 " not in self.run("ss", "-Hlntu").out or not (stock or "state=up" in self.log_text())):
            if p.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{argv[0]} does not listen: {self.log_text()[-600:]}")
            time.sleep(0.02)
        return p

    def log_text(self):
        with open(self.vlog, errors="replace") as f:
            return f.read()

    def stop(self):
        for p in self.daemons + [self.p]:
            if p.poll() is None:
                p.kill()
                p.wait()


class Machines(lab_module.Lab):
    """Hypervisors h1.. at 10.99.0.1.., nodes n1, n2 at 10.99.0.11.."""

    def __init__(self, hypervisors=2, nodes=2):
        super().__init__(hosts=hypervisors)
        self.n_nodes = nodes
        self.node_ns = [f"{self.id}n{i}" for i in range(1, nodes + 1)]
        self.machines, self.h, self.n = [], [], []

    def __enter__(self):
        super().__enter__()
        try:
            for i, ns in enumerate(self.node_ns, 11):
                sh("ip", "netns", "add", ns)
                sh("ip", "-n", ns, "link", "set", "lo", "up")
                sh("ip", "-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{i}", "netns", f"{self.id}s")
                sh("ip", "-n", f"{self.id}s", "link", "set", f"p{i}", "master", "br0", "up")
                sh("ip", "-n", ns, "addr", "add", f"10.99.0.{i}/24", "dev", "eth0")
                sh("ip", "-n", ns, "link", "set", "eth0", "up")
            sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.dir}/id")
            self.h = [self.machine(f"h{i}", ns, f"10.99.0.{i}") for i, ns in enumerate(self.hosts, 1)]
            self.n = [self.machine(f"n{i}", ns, f"10.99.0.{i + 10}") for i, ns in enumerate(self.node_ns, 1)]
            self.known = {m.address: m for m in self.machines} | {m.name: m for m in self.machines}
            self.write_ssh()
            self.write_config()
        except BaseException:
            self.__exit__()
            raise
        return self

    def machine(self, name, ns, address):
        m = Machine(self, name, ns, address)
        self.machines.append(m)
        return m

    def __exit__(self, *_):
        for m in self.machines:
            sockets = [n for n in os.listdir(self.dir) if n == "cm-" + m.name or n == "cm-" + m.address]
            for n in sockets:
                sh("ssh", "-F", f"{self.dir}/ssh_config", "-O", "exit", n[3:], check=False)
            m.stop()
        for ns in self.node_ns:
            sh("ip", "netns", "del", ns, check=False)
        super().__exit__()

    def write_ssh(self, wrong=None, unknown=(), share=False):
        """@share: one connection to a machine for many commands. @wrong: {name: whom it leads to}; @unknown: names whose host key is not known."""
        text = known = ""
        for name, m in self.known.items():
            text += f"Host {name}\n  HostName {self.known[wrong[name]].address if name in (wrong or {}) else m.address}\n"
            with open(f"{m.dir}/host_key.pub") as f:
                known += "" if name in unknown else f"{name} {f.read()}"
        for name, to in (wrong or {}).items():
            with open(f"{self.known[to].dir}/host_key.pub") as f:
                known += f"{name} {f.read()}"
        text += (f"Host *\n  User root\n  IdentityFile {self.dir}/id\n  IdentitiesOnly yes\n  UserKnownHostsFile {self.dir}/known\n"
                 "  GlobalKnownHostsFile /dev/null\n")
        if share:
            text += f"  ControlMaster auto\n  ControlPath {self.dir}/cm-%n\n  ControlPersist 60\n"
        # the alias is what known_hosts is asked for
        text = "".join(line + (f"  HostKeyAlias {line.split()[1]}\n" if line.startswith("Host ") and "*" not in line else "")
                       for line in text.splitlines(True))
        self.write("known", known)
        self.write("ssh_config", text)

    def write_config(self, tcp=False):
        nodes = "".join(f"  n{i}: {{id: {i}, link0: 10.99.0.{i + 10}, fence: [{{vm: guest{i}}}]}}\n" for i in range(1, self.n_nodes + 1))
        self.write("stockade.yaml", f"""cluster: keys
detect: 3s
nodes:
{nodes}fence_devices:
  vm: {{agent: {OUR_XVM}, key_file: {KEYFILE}, {"ip" if tcp else "hypervisors"}: "{",".join(m.address for m in self.h)}", timeout: "5"}}
""", 0o644)

    def key_options(self, what):
        if what in ("new", "answer"):
            return []
        more = ["--ssh-config", f"{self.dir}/ssh_config", "--virtd-conf", f"{self.dir}/virt.conf", "--timeout", "1500ms"]
        return more + (["--ssh", self.ssh] if getattr(self, "ssh", None) else [])
