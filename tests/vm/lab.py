# SPDX-License-Identifier: GPL-3.0-or-later
"""A laboratory of real kernels: two or three Debian guests, an iSCSI target, a hypervisor with its fence daemon.

	with Lab("takeover") as lab:            # boots; taken down at the end, also by SIGKILL of this process
		lab.put_build("/work/stage")        # a `make install DESTDIR=...` tree
		lab.corosync()
		lab.node(1).run("systemctl", "start", "stockade-fenced")
		with lab.http("http://192.0.2.100/") as probe:
			at = lab.node(1).crash()
			lab.wait_event("node1", "Crashed")
			probe.wait_ok(60, since=at + 1)
		print(probe.downtime())

All in namespaces of its own (labinit says how), so that labs run side by side and nothing outlives them:

	link 0, br0, 192.0.2.0/24       cluster and service network    host .1, nodeN .1N
	link 1, br1, 198.51.100.0/24    storage network                host .1, nodeN .1N
	target iqn.2026-11.test:disk on the host's addresses, port 3260, LUN 1 (the file Lab.disk)
	fence_virtd (the stock one): multicast 225.0.0.12 on br0, key /etc/cluster/fence_xvm.key in every node

Times: everything is CLOCK_MONOTONIC of the host in seconds; Node.clock() maps a guest's clocks to it.
Files: $STOCKADE_LAB_DIR (else /var/cache/stockade-lab) holds images, golden disks and labs/NAME/.
"""
import ctypes
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time

import labchannel
import labclient
import labdisk
import labimage
from labchannel import NodeLost, NodeSilent  # noqa: F401  (part of this module's interface)

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = "iqn.2026-11.test:disk"
VG, LV = "vgcluster", "lv0"
LINKS = [{"bridge": "br0", "net": "192.0.2", "host": "192.0.2.1/24"},
         {"bridge": "br1", "net": "198.51.100", "host": "198.51.100.1/24"}]
FENCE_KEY = "/etc/cluster/fence_xvm.key"
DISK_MIB, LV_MIB = 512, 300
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """The laboratory itself failed (not what is tested in it)."""


def labs_dir():
    path = os.path.join(labimage.cache_dir(), "labs")
    os.makedirs(path, exist_ok=True)
    return path


def stat_fields(pid):
    """What /proc/PID/stat says behind the name: [0] the state, [19] when it began. None: no such process (any more)."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):  # gone before, or while it is read
        return None


def start_time(pid):
    """The kernel's start time of a process, which with the pid names one process for good; None: no such process."""
    now = stat_fields(pid)
    return int(now[19]) if now else None


def alive(ident):
    return bool(ident) and start_time(ident[0]) == ident[1]


def identify(pid):
    return [pid, start_time(pid)]


def wait_until(test, timeout, what, interval=0.05):
    """Call test() until it is true; its value. TimeoutError names @what."""
    end = time.monotonic() + timeout
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout:.0f} s")
        time.sleep(interval)


class Node:
    """One guest. Commands go over virtio-serial, so they work while its network is cut."""

    def __init__(self, lab, number):
        self.lab, self.number, self.name = lab, number, f"node{number}"
        self.channel = f"{lab.dir}/sock/{self.name}"
        self.console = f"{lab.dir}/{self.name}.console"
        self.journal = f"{lab.dir}/{self.name}.journal"

    def addr(self, link=0):
        return f"{LINKS[link]['net']}.1{self.number}"

    # -- commands and files

    def run(self, *argv, stdin=b"", timeout=60.0, check=True, on_out=None):
        """Run a command; Result(code, out, err). With @check, a code other than 0 raises LabError."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        res = labchannel.run(self.channel, [str(a) for a in argv], stdin, timeout, on_out)
        if check and res.code:
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: exit {res.code}\n{res.out}{res.err}")
        return res

    def sh(self, script, **kw):
        return self.run("/bin/sh", "-c", script, **kw)

    def put(self, path, data, mode=0o644):
        """Write a file (bytes or text) with its folders."""
        self.put_tree([(path, data, mode)])

    def put_tree(self, files):
        """Write [(path, data, mode)] in one go."""
        buf = io.BytesIO()
        with tarfile.open(fileobj=buf, mode="w") as tar:
            for path, data, mode in files:
                data = data.encode() if isinstance(data, str) else data
                info = tarfile.TarInfo(path.lstrip("/"))
                info.size, info.mode, info.mtime = len(data), mode, int(time.time())
                tar.addfile(info, io.BytesIO(data))
        self.run("tar", "-x", "-p", "--no-same-owner", "--keep-directory-symlink", "-C", "/", stdin=buf.getvalue())

    def get(self, path, timeout=60.0):
        return self.run("cat", path, timeout=timeout).raw

    def clock(self):
        """(offset, error): add offset to a host monotonic time to get this guest's CLOCK_REALTIME, +- error; seconds."""
        offset, error, _ = labchannel.clock(self.channel)
        return offset / 1e9, error / 1e9

    def set_clock(self):
        """Set the guest's CLOCK_REALTIME to the host's."""
        labchannel.clock(self.channel, settime_ns=time.time_ns)

    def wait_booted(self, timeout=300.0):
        """Until its agent answers and systemd says that the boot is over."""
        def up():
            try:
                res = self.run("systemctl", "is-system-running", timeout=20, check=False)
                return res.out.strip() in ("running", "degraded")
            except (NodeSilent, NodeLost):
                return False
        wait_until(up, timeout, f"{self.name} boots (console: {self.console})", 0.1)

    # -- power, from the hypervisor

    def start(self):
        self.lab.virsh("start", self.name)

    def poweroff(self):
        """Pull the plug (virsh destroy)."""
        self.lab.virsh("destroy", self.name)

    def pause(self):
        self.lab.virsh("suspend", self.name)

    def resume(self):
        self.lab.virsh("resume", self.name)

    def reset(self):
        self.lab.virsh("reset", self.name)

    def state(self):
        """(state, reason) as the hypervisor says it: ('running', 'booted'), ('crashed', 'panicked'), ..."""
        m = re.match(r"([\w ]+?) \((.*)\)", self.lab.virsh("domstate", "--reason", self.name))
        return (m[1], m[2]) if m else ("unknown", "")

    def crash(self):
        """Kernel panic by sysrq; the host's monotonic time when the order was sent. Returns when libvirt saw the panic."""
        return labchannel.fire(self.channel, ["/bin/sh", "-c", "echo c > /proc/sysrq-trigger"],
                               lambda sent: self.lab.wait_event(self.name, "Crashed", since=sent, timeout=30))

    # -- network

    def tap(self, link):
        return f"n{self.number}l{link}"

    def cut(self, links=(0, 1), direction="both"):
        """Drop this node's frames on @links, silently (its links stay up). @direction: both, in (to it), out (from it)."""
        self._cut("add", links, direction)

    def heal(self, links=(0, 1), direction="both"):
        self._cut("delete", links, direction)

    def _cut(self, op, links, direction):
        sets = {"both": ("from", "to"), "in": ("to",), "out": ("from",)}[direction]
        lines = []
        for name in sets:
            have = self.lab.host("nft", "list", "set", "bridge", "lab", name)
            for link in links:
                if (f'"{self.tap(link)}"' in have) != (op == "add"):
                    lines.append(f"{op} element bridge lab {name} {{ {self.tap(link)} }}")
        if lines:
            self.lab.host("nft", "-f", "-", stdin="\n".join(lines))


class Lab:
    """A laboratory. Lab(NAME) makes one on entry (or up()); Lab.attach(NAME) joins one that runs."""

    def __init__(self, name, nodes=2, memory_mib=640, fence_virtd=True, disk=None, owned=True, log=None, devices=""):
        """@disk: file that the LUN starts as (default: golden_disk()); @owned: dies with this process; @fence_virtd: True is
        the stock daemon, "ours" stockade-virtd of the build (so it is for all with STOCKADE_LAB_FENCE_VIRTD=ours), False none;
        @devices: more of the domains' XML, with {dir} (what is made there: line/, wire/) and {name}."""
        if fence_virtd is True and os.environ.get("STOCKADE_LAB_FENCE_VIRTD") == "ours":
            fence_virtd = "ours"
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
            raise LabError(f"lab name {name!r}: wanted up to 31 of a-z, 0-9 and '-'")
        if not 1 <= nodes <= 3:
            raise LabError(f"{nodes} nodes: wanted 1 to 3")
        self.name, self.memory_mib, self.fence_virtd, self.owned = name, memory_mib, fence_virtd, owned
        self.dir = os.path.join(labs_dir(), name)
        if len(self.dir) > 80:
            raise LabError(f"{self.dir}: too long for a UNIX socket below it; set STOCKADE_LAB_DIR to a shorter path")
        self.disk = f"{self.dir}/disk.img"
        self.disk_from, self.devices = disk, devices
        self.nodes = {i: Node(self, i) for i in range(1, nodes + 1)}
        self.init_pid = None
        self.say = log or (lambda text: print(f"[lab {name}] {text}", file=sys.stderr, flush=True))

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *exc):
        self.down()

    def node(self, n):
        """By number or by name."""
        return self.nodes[int(str(n).removeprefix("node"))]

    # -- life

    @classmethod
    def attach(cls, name):
        try:
            with open(os.path.join(labs_dir(), name, "state.json")) as f:
                state = json.load(f)
        except OSError:
            raise LabError(f"no lab {name}") from None
        if not alive(state["init"]):
            raise LabError(f"lab {name} is not running any more; `lab reap` removes what it left")
        lab = cls(name, nodes=state["nodes"], memory_mib=state["memory_mib"], owned=False)
        lab.init_pid = state["init"][0]
        return lab

    def up(self, boot=True):
        """Make it; with @boot, start all nodes and wait for them. Whatever fails, nothing is left."""
        image = labimage.ensure()
        start = time.monotonic()
        if self.disk_from is None:
            self.disk_from = golden_disk(self.say)
        try:
            os.makedirs(self.dir)
        except FileExistsError:
            raise LabError(f"lab {self.name} exists already: `lab down {self.name}` or `lab reap`") from None
        try:
            self._write_files(image)
            self._start_init()
            self.define_nodes(image)
            if boot:
                self.boot()
        except BaseException:
            self.down()
            raise
        self.say(f"up in {time.monotonic() - start:.1f} s")

    def _write_files(self, image):
        for sub in ("log", "sock", "line", "wire"):
            os.makedirs(f"{self.dir}/{sub}")
        if self.disk_from:
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.disk_from, self.disk], check=True)
        else:
            with open(self.disk, "wb") as f:
                f.truncate(DISK_MIB << 20)
        for node in self.nodes.values():
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{image}/root.img", "-F", "raw",
                            f"{self.dir}/{node.name}.qcow2"], check=True)
            for path in (node.console, node.journal):
                open(path, "w").close()
        key = secrets.token_hex(64)
        with open(os.open(f"{self.dir}/fence_xvm.key", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(key)
        with open(os.open(f"{self.dir}/corosync.authkey", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(secrets.token_bytes(256))
        with open(os.open(f"{self.dir}/fence_virt.conf", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(FENCE_VIRT_CONF.format(dir=self.dir) + (MAP if self.fence_virtd == "ours" else ""))
        with open(f"{self.dir}/config.json", "w") as f:
            json.dump({"links": LINKS, "target_setup": target_setup(self.disk), "fence_virtd": self.fence_virtd,
                       "virtd": virtd_of_build() if self.fence_virtd == "ours" else None}, f)

    def _start_init(self):
        owner = os.getpid()

        def tie_to_owner():  # SIGKILL of the owner reaches unshare, and by --kill-child the whole lab
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != owner:
                os._exit(1)

        with open(f"{self.dir}/log/labinit.log", "wb") as log:
            self.outer = subprocess.Popen(
                ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
                 sys.executable, f"{HERE}/labinit", self.dir], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=tie_to_owner if self.owned else None)

        def child():
            try:
                with open(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children") as f:
                    return int((f.read().split() or ["0"])[0])
            except OSError:
                return 0
        self.init_pid = wait_until(lambda: child() or self.outer.poll(), 10, "unshare", 0.005)
        if self.outer.poll() is not None:
            raise LabError(f"cannot make namespaces (root?): {self.read('log/labinit.log')}")
        with open(f"{self.dir}/state.json", "w") as f:
            json.dump({"init": identify(self.init_pid), "owner": identify(owner) if self.owned else None,
                       "nodes": len(self.nodes), "memory_mib": self.memory_mib}, f)

        def settled():
            return any(os.path.exists(f"{self.dir}/{x}") for x in ("ready", "failed")) or self.outer.poll() is not None
        wait_until(settled, 60, "labinit", 0.01)
        if not os.path.exists(f"{self.dir}/ready"):
            raise LabError(f"labinit: {self.read('failed')}{self.read('log/labinit.log')}")

    def read(self, path):
        """A file of the lab's folder as text, empty when there is none."""
        try:
            with open(f"{self.dir}/{path}", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def define_nodes(self, image):
        accel = accelerator(image, self.say)
        for node in self.nodes.values():
            xml = f"{self.dir}/{node.name}.xml"
            with open(xml, "w") as f:
                f.write(domain_xml(self, node, image, accel))
            self.virsh("define", xml)

    def boot(self, nodes=None):
        """Start nodes (all by default) together and wait for them."""
        start = time.monotonic()
        chosen = [self.node(n) for n in nodes] if nodes else list(self.nodes.values())
        for node in chosen:
            node.start()
        with open(f"{self.dir}/fence_xvm.key", "rb") as f:
            key = f.read()
        for node in chosen:
            node.wait_booted()
            node.put(FENCE_KEY, key, 0o600)
            node.set_clock()
        self.say(f"{', '.join(n.name for n in chosen)} booted in {time.monotonic() - start:.1f} s")

    def down(self):
        """End everything of it and remove its folder. Fine on a half-made lab."""
        if self.init_pid and os.path.exists(f"{self.dir}/state.json"):
            kill_identified(json.loads(self.read("state.json")).get("init"))
        if getattr(self, "outer", None):
            if self.outer.poll() is None:
                self.outer.kill()
            self.outer.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        self.init_pid = None

    # -- cables between nodes

    def split(self, a, b, links=(0, 1), one_way=False):
        """Cut nodes @a and @b from each other only: both still reach the host (target, fence daemon, clients). @one_way: what
        @a sends to @b is lost, what @b sends to @a arrives."""
        self._between("add", a, b, links, one_way)

    def join(self, a, b, links=(0, 1), one_way=False):
        self._between("delete", a, b, links, one_way)

    def _between(self, op, a, b, links, one_way):
        a, b = self.node(a), self.node(b)
        ways = ((a, b),) if one_way else ((a, b), (b, a))
        pairs = ", ".join(f"{x.tap(i)} . {y.tap(i)}" for i in links for x, y in ways)
        self.host("nft", f"{op} element bridge lab between {{ {pairs} }}")

    # -- the host's side

    def host_argv(self, *argv):
        return ["nsenter", "-t", str(self.init_pid), "-m", "-n", "-p", "-i", "-u", "--", *argv]

    def host(self, *argv, stdin=None, timeout=30.0, check=True):
        """Run a command inside the lab's namespaces, on the host's side; its output."""
        res = subprocess.run(self.host_argv(*argv), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=timeout, **({} if stdin else {"stdin": subprocess.DEVNULL} if stdin is None else {}))
        if check and res.returncode:
            raise LabError(f"{' '.join(argv)}: exit {res.returncode}: {res.stdout.strip()}")
        return res.stdout

    def virsh(self, *argv):
        return self.host("virsh", "-q", *argv).strip()

    def control(self, op, name, **kw):
        """Ask labinit: start, stop or signal a daemon of the host's side (tgtd, fence_virtd, libvirtd, or a new one by argv=)."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(15)
            s.connect(f"{self.dir}/ctl.sock")
            s.sendall(json.dumps({"op": op, "name": name, **kw}).encode() + b"\n")
            ans = json.loads(s.makefile().readline())
        if "error" in ans:
            raise LabError(f"{op} {name}: {ans['error']}")
        return ans

    def enter_netns(self):
        """Move the calling thread (and only it) into the lab's network namespace."""
        with open(f"/proc/{self.init_pid}/ns/net") as f:
            if libc.setns(f.fileno(), CLONE_NEWNET) < 0:
                raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")

    def events(self):
        """libvirt's events so far: [{mono, real, text}]; lifecycle lines read
        "event 'lifecycle' for domain 'node1': Crashed Panicked"."""
        return [json.loads(row) for row in self.read("events.jsonl").splitlines() if row.endswith("}")]

    def wait_event(self, node, text, since=0.0, timeout=60.0):
        """The first event of @node whose line holds @text and that came after @since (monotonic)."""
        def find():
            for ev in self.events():
                if ev["mono"] >= since and f"'{node}'" in ev["text"] and text in ev["text"].split(":", 1)[-1]:
                    return ev
            return None
        return wait_until(find, timeout, f"libvirt reports {text} for {node}", 0.02)

    def target_up(self):
        """Start the target again after control("stop", "tgtd")."""
        self.control("start", "tgtd")
        wait_until(lambda: "System" in self.host("tgtadm", "--op", "show", "--mode", "sys", check=False), 10, "tgtd")
        for argv in target_setup(self.disk):
            self.host("tgtadm", "--lld", "iscsi", *argv)

    def iscsi_sessions(self):
        """The target's view: [{initiator, address}] of the sessions that it has now."""
        out = self.host("tgtadm", "--lld", "iscsi", "--op", "show", "--mode", "target")
        found = []
        for m in re.finditer(r"Initiator: (\S+) alias.*?\n(.*?)(?=I_T nexus:|LUN information)", out, re.S):
            for ip in re.findall(r"IP Address: (\S+)", m[2]):
                found.append({"initiator": m[1], "address": ip})
        return found

    # -- what goes into the nodes

    def put_build(self, stage, nodes=None):
        """Copy a `make install DESTDIR=stage` tree into the nodes' file systems; the seconds that it took."""
        start = time.monotonic()
        buf = io.BytesIO()
        with tarfile.open(fileobj=buf, mode="w") as tar:
            for name in sorted(os.listdir(stage)):
                tar.add(os.path.join(stage, name), arcname=name, filter=own_by_root)
        data = buf.getvalue()

        def copy(node):
            node.run("tar", "-x", "-p", "--keep-directory-symlink", "-C", "/", stdin=data, timeout=120)
            node.sh("ldconfig && systemctl daemon-reload", timeout=60)
        in_parallel([(copy, n) for n in (self.nodes.values() if nodes is None else map(self.node, nodes))])
        return time.monotonic() - start

    def corosync_conf(self, token=1000, wait_for_all=0, links=2, extra=""):
        """corosync.conf for this lab's nodes; @extra goes into the totem section."""
        ping = ""
        if links == 1:  # the settings of one link that hold at a small token; two links want corosync's own
            ping = "\t\tknet_ping_interval: 200\n\t\tknet_ping_timeout: 1000\n\t\tknet_pong_count: 1\n"
        nodes = "".join(
            "\tnode {\n" + f"\t\tname: {n.name}\n\t\tnodeid: {n.number}\n"
            + "".join(f"\t\tring{i}_addr: {n.addr(i)}\n" for i in range(links)) + "\t}\n"
            for n in self.nodes.values())
        interfaces = "".join(f"\tinterface {{\n\t\tlinknumber: {i}\n{ping}\t}}\n" for i in range(links))
        two = "\ttwo_node: 1\n" if len(self.nodes) == 2 else ""
        return (f"totem {{\n\tversion: 2\n\tcluster_name: lab\n\ttransport: knet\n\ttoken: {token}\n"
                f"\ttoken_coefficient: 0\n\tcrypto_cipher: aes256\n\tcrypto_hash: sha256\n{extra}{interfaces}}}\n"
                f"nodelist {{\n{nodes}}}\n"
                f"quorum {{\n\tprovider: corosync_votequorum\n{two}\twait_for_all: {wait_for_all}\n}}\n"
                "system {\n\tsched_rr: no\n\tpriority: max\n}\n"
                "logging {\n\tto_stderr: no\n\tto_syslog: yes\n}\n")

    def corosync(self, wait=60.0, **conf):
        """Configure and start corosync on all nodes; the seconds until all are quorate with all members."""
        text = self.corosync_conf(**conf)
        with open(f"{self.dir}/corosync.authkey", "rb") as f:
            key = f.read()
        start = time.monotonic()

        def go(node):
            node.put_tree([("/etc/corosync/corosync.conf", text, 0o644), ("/etc/corosync/authkey", key, 0o400)])
            node.run("systemctl", "start", "corosync", timeout=60)
        in_parallel([(go, n) for n in self.nodes.values()])
        for node in self.nodes.values():
            wait_until(lambda: self.quorate(node) == len(self.nodes), wait, f"{node.name} sees all nodes quorate", 0.2)
        return time.monotonic() - start

    def quorate(self, node):
        """How many members the node's corosync has, 0 when it is not quorate or not running."""
        out = node.run("corosync-quorumtool", "-s", check=False).out
        m = re.search(r"Total votes:\s*(\d+)", out)
        return int(m[1]) if m and re.search(r"Quorate:\s*Yes", out) else 0

    def http(self, url="http://192.0.2.100/", **kw):
        """A client that asks for @url all the time: labclient.HttpProbe."""
        return labclient.HttpProbe(self, url, **kw)

    def appender(self, url="http://192.0.2.100/cgi-bin/append", **kw):
        """A client that appends numbered records to the volume: labclient.Appender."""
        return labclient.Appender(self, url, **kw)

    def volume(self, vg=VG, lv=LV):
        """The shared volume's bytes as the target has them now: labdisk.Volume."""
        return labdisk.Volume(self.disk, vg, lv)


def target_setup(disk):
    """tgtadm's arguments that make the one target; scsi_id and scsi_sn, as tgt gives every server the same ones."""
    return [["--mode", "target", "--op", "new", "--tid", "1", "-T", TARGET],
            ["--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1", "-b", disk],
            ["--mode", "logicalunit", "--op", "update", "--tid", "1", "--lun", "1", "--params",
             "vendor_id=Stockade,product_id=LabDisk,scsi_id=stockade-lab-0001,scsi_sn=lab0001"],
            ["--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL"]]


def virtd_of_build():
    path = os.path.join(os.environ.get("STOCKADE_BUILD") or os.path.abspath(f"{HERE}/../../build"), "stockade-virtd")
    if not os.access(path, os.X_OK):
        raise LabError(f"there is no {path}; run: tools/build build")
    return path


# What our daemon wants to know besides: the nodes may fence each other, by name.
MAP = "groups {\n\tgroup = \"lab\" {\n" + "".join(
    f"\t\tip = \"192.0.2.1{n}\";\n\t\tip = \"198.51.100.1{n}\";\n\t\tuuid = \"node{n}\";\n" for n in (1, 2, 3)) + \
    "\t\tip = \"192.0.2.100\";\n\t}\n}\n"

FENCE_VIRT_CONF = """fence_virtd {{
	listener = "multicast";
	backend = "libvirt";
}}
listeners {{
	multicast {{
		key_file = "{dir}/fence_xvm.key";
		interface = "br0";
		address = "225.0.0.12";
		port = "1229";
		family = "ipv4";
	}}
}}
backends {{
	libvirt {{
		uri = "qemu:///system";
	}}
}}
"""


def own_by_root(info):
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


def in_parallel(jobs):
    """Run [(function, argument...)] in threads; raise the first failure after all ended."""
    failed = []

    def call(job):
        try:
            job[0](*job[1:])
        except Exception as e:
            failed.append(e)
    threads = [threading.Thread(target=call, args=(job,)) for job in jobs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def kill_identified(ident, timeout=10.0):
    """SIGKILL exactly this process (pid and start time) and wait for its end."""
    if not alive(ident):
        return
    try:
        os.kill(ident[0], signal.SIGKILL)
    except ProcessLookupError:
        return
    end = time.monotonic() + timeout
    while alive(ident) and time.monotonic() < end:
        now = stat_fields(ident[0])
        if not now or now[0] == "Z":
            return
        time.sleep(0.01)


def accelerator(image, say):
    """'kvm' when a guest kernel was seen to boot with it on this boot of the host, else 'tcg'.

    The device alone proves nothing: on some hosts QEMU with KVM hangs after the firmware.
    """
    with open("/proc/sys/kernel/random/boot_id") as f:
        memo = f"{labimage.cache_dir()}/accel-{f.read().strip()}"
    try:
        with open(memo) as f:
            return f.read().strip()
    except OSError:
        pass
    answer = "tcg"
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        proc = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-nographic", "-serial", "stdio",
             "-kernel", f"{image}/vmlinuz", "-append", "console=ttyS0 panic=-1", "-no-reboot"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        timer = threading.Timer(6, proc.kill)
        timer.start()
        for line in proc.stdout:
            if b"Linux version" in line:
                answer = "kvm"
                break
        timer.cancel()
        proc.kill()
        proc.stdout.close()
        proc.wait()
    with open(f"{memo}.new", "w") as f:
        f.write(answer + "\n")
    os.rename(f"{memo}.new", memo)
    say(f"guests run under {answer.upper()} (tried; remembered until the host reboots)")
    return answer


def domain_xml(lab, node, image, accel):
    n = node.number
    kvm = accel == "kvm"
    cpu = "<cpu mode='host-passthrough'/>" if kvm else (
        "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>")
    nets = "".join(f"""
    <interface type='bridge'><mac address='52:54:00:00:0{i}:0{n}'/><source bridge='{link["bridge"]}'/>
      <target dev='{node.tap(i)}'/><model type='virtio'/><rom enabled='no'/></interface>""" for i, link in enumerate(LINKS))
    ports = "".join(f"""
    <channel type='unix'><source mode='bind' path='{node.channel}.{p}'/>
      <target type='virtio' name='lab.{p}'/></channel>""" for p in range(labchannel.PORTS))
    return f"""<domain type='{"kvm" if kvm else "qemu"}'>
  <name>{node.name}</name><uuid>00000000-0000-4000-8000-00000000000{n}</uuid>
  <memory unit='MiB'>{lab.memory_mib}</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{image}/vmlinuz</kernel><initrd>{image}/initrd</initrd>
    <cmdline>console=ttyS0 quiet loglevel=4 net.ifnames=0 panic=0 no_timer_check systemd.show_status=0 systemd.hostname={node.name} lab.node={n}</cmdline></os>
  <features><acpi/></features>
  {cpu}
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>preserve</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='unsafe'/>
      <source file='{lab.dir}/{node.name}.qcow2'/><target dev='vda' bus='virtio'/></disk>
    <controller type='usb' model='none'/>{nets}{ports}
    <serial type='file'><source path='{node.console}' append='on'/><target port='0'/></serial>
    <console type='file'><source path='{node.journal}' append='on'/><target type='virtio' port='1'/></console>
    <watchdog model='i6300esb' action='reset'/>
    <panic model='isa'/>
    <memballoon model='none'/>{lab.devices.format(dir=lab.dir, name=node.name)}
  </devices>
</domain>
"""


def prepare_disk(lab):
    """What an administrator does once on the shared disk, from node 1: PV, VG without auto-activation, LV, ext4, a page.

    @lab has a blank LUN. After it the disk is deactivated and logged out.
    """
    node = lab.node(1)
    node.sh(f"""set -e
iscsiadm -m discovery -t sendtargets -p {LINKS[1]['host'].split('/')[0]} >/dev/null
iscsiadm -m node -T {TARGET} -p {LINKS[1]['host'].split('/')[0]} --login >/dev/null
dev=
for i in $(seq 100); do
	dev=$(ls /dev/disk/by-path/*-iscsi-{TARGET}-lun-1 2>/dev/null) && break
	sleep 0.1
done
pvcreate -q "$dev"
vgcreate -q --setautoactivation n {VG} "$dev"
lvcreate -q -L {LV_MIB}M -n {LV} {VG}
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/{VG}/{LV}
mount /dev/{VG}/{LV} /mnt
echo '<!doctype html><title>Stockade</title><p>served from the shared volume</p>' >/mnt/index.html
: >/mnt/records.txt
chown www-data /mnt/records.txt
umount /mnt
vgchange -q -an {VG}
iscsiadm -m node -T {TARGET} --logout >/dev/null
iscsiadm -m node -T {TARGET} -o delete
""", timeout=180)


def golden_disk(say, prepare=prepare_disk, tag="ext4"):
    """A disk file as @prepare leaves it, made once per image and recipe in a lab of one node; its path."""
    import inspect
    cache = labimage.cache_dir()
    key = hashlib.sha256((labimage.image_key() + inspect.getsource(prepare) + f"{DISK_MIB} {LV_MIB}").encode()).hexdigest()[:12]
    path = f"{cache}/disk-{tag}-{key}.img"
    with open(f"{cache}/disk.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            os.utime(path)
        else:
            start = time.monotonic()
            say("make the shared disk once (a node, its volume group, an ext4 with a page)")
            with Lab(f"golden-{os.getpid()}", nodes=1, disk="", log=say) as lab:
                prepare(lab)
                shutil.copyfile(lab.disk, f"{path}.new")
            os.rename(f"{path}.new", path)
            say(f"shared disk ready in {time.monotonic() - start:.1f} s: {path}")
    return path


def reap(say=print):
    """Remove labs whose owner or whose process 1 is gone; the names."""
    removed = []
    for name in sorted(os.listdir(labs_dir())):
        path = os.path.join(labs_dir(), name)
        try:
            with open(f"{path}/state.json") as f:
                state = json.load(f)
        except (OSError, ValueError):
            # Between mkdir and state.json a lab has no owner to ask; it is given a minute.
            if time.time() - os.stat(path).st_mtime < 60:
                continue
            state = {"init": None, "owner": None}
        if alive(state["init"]) and (state["owner"] is None or alive(state["owner"])):
            continue
        kill_identified(state["init"])
        shutil.rmtree(path, ignore_errors=True)
        removed.append(name)
        say(f"removed lab {name}")
    return removed
