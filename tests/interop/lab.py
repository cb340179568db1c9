# SPDX-License-Identifier: GPL-3.0-or-later
"""A hypervisor, more of them, and a guest in network namespaces of their own, with no way out; libvirt's test driver plays
the machines, inside of whichever fence_virtd runs (ref/fencing.md 1.9).

The stock programs are those of the packages fence-virt and fence-virtd; ours are those of the build.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time

SRC = os.environ.get("STOCKADE_SRC") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("STOCKADE_BUILD") or os.path.join(SRC, "build")
STOCK_XVM, STOCK_VIRT, STOCK_VIRTD = "/usr/sbin/fence_xvm", "/usr/sbin/fence_virt", "/usr/sbin/fence_virtd"
OUR_XVM = os.path.join(BUILD, "fence_agents/xvm/fence_xvm")
OUR_VIRTD = os.path.join(BUILD, "stockade-virtd")
KEY = b"0123456789abcdef0123456789abcdef"


class Result:
    def __init__(self, rc, out, err, took):
        self.rc, self.out, self.err, self.took = rc, out, err, took

    def __repr__(self):
        return f"exit {self.rc}, {self.took:.2f} s, stdout {self.out!r}, stderr {self.err!r}"


def sh(*args, check=True, **kw):
    return subprocess.run(args, check=check, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **kw).stdout


class Failed(Exception):
    """A claim does not hold."""


def check(true, text):
    if not true:
        raise Failed(text)


def equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {got!r}, expected {want!r}")


def uuid_of(n):
    return f"6695eb01-f6a4-8304-79aa-{n:012x}"


class Lab:
    """hosts: how many hypervisors; 10.99.0.1 and up, fd99::1 and up; the guest is 10.99.0.99, fd99::99."""

    made = 0

    def __init__(self, hosts=1):
        Lab.made += 1
        self.id = f"xvm{os.getpid()}n{Lab.made}"
        self.dir = tempfile.mkdtemp(prefix="stockade-interop.")
        self.hosts = [f"{self.id}h{i}" for i in range(1, hosts + 1)]
        self.guest = f"{self.id}g"
        self.daemons = []
        self.key = self.write("key", KEY)

    def write(self, name, data, mode=0o600):
        path = f"{self.dir}/{name}"
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, mode)
        return path

    def __enter__(self):
        switch = f"{self.id}s"
        try:
            for ns in [switch, self.guest] + self.hosts:
                sh("ip", "netns", "add", ns)
                sh("ip", "-n", ns, "link", "set", "lo", "up")
                sh("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                   "net.ipv6.conf.default.accept_dad=0")
            sh("ip", "-n", switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
            sh("ip", "-n", switch, "link", "set", "br0", "up")
            for n, ns in [(99, self.guest)] + list(enumerate(self.hosts, 1)):
                sh("ip", "-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{n}", "netns", switch)
                sh("ip", "-n", switch, "link", "set", f"p{n}", "master", "br0", "up")
                sh("ip", "-n", ns, "addr", "add", f"10.99.0.{n}/24", "dev", "eth0")
                sh("ip", "-n", ns, "addr", "add", f"fd99::{n}/64", "dev", "eth0", "nodad")
                sh("ip", "-n", ns, "link", "set", "eth0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for d in list(self.daemons):
            d.stop()
        for ns in [self.guest, f"{self.id}s"] + self.hosts:
            sh("ip", "netns", "del", ns, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, argv, stdin=None, ns=None, timeout=60, env=None):
        t0 = time.monotonic()
        p = subprocess.Popen(["ip", "netns", "exec", ns or self.guest] + list(argv), text=True,
                             stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})))
        try:
            out, err = p.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
            return Result(-9, out, err, time.monotonic() - t0)
        return Result(p.returncode, out, err, time.monotonic() - t0)

    def ask(self, action=None, plug=None, agent=None, ns=None, timeout=60, **more):
        """An agent by stdin, with our key."""
        values = {"action": action, "plug": plug, "key_file": self.key, **more}
        text = "".join(f"{k}={v}\n" for k, v in values.items() if v is not None)
        return self.run([agent or OUR_XVM], stdin=text, ns=ns, timeout=timeout)

    def machines(self, names, name="node", off=(), more=""):
        """A libvirt test:/// file with these guests, on (but for @off); @more: into each one's XML. Returns the URI."""
        xml = "<node>\n"
        for i, n in enumerate(names, 1):
            xml += (f"<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>{n}</name>"
                    f"<uuid>{uuid_of(i)}</uuid><memory>1024</memory><os><type>hvm</type></os>"
                    + ("<test:runstate>5</test:runstate>" if n in off else "") + more + "</domain>\n")
        return "test://" + self.write(name + ".xml", xml + "</node>\n", 0o644)

    def virtd(self, stock=True, **conf):
        return Virtd(self, stock, **conf)


class Virtd:
    """A fence_virtd on hypervisor number @host (from 0)."""

    def __init__(self, lab, stock, host=0, uri="test:///default", listener="multicast", family="ipv4", hash="sha256",
                 auth="sha256", key=None, groups="", settings="", wait=True, interface="eth0",
                 backend="libvirt"):
        self.lab, self.ns, self.stock = lab, lab.hosts[host], stock
        n = host + 1
        name = f"virtd{len(lab.daemons)}-{n}"
        key = key or lab.key
        uris = [uri] if isinstance(uri, str) else uri
        self.n_uris = len(uris)
        wire = f'interface = "{interface}"; ' if interface else ""
        parts = {
            "multicast": f'key_file = "{key}"; {wire}family = "{family}"; '
                         f'address = "{"225.0.0.12" if family == "ipv4" else "ff05::3:1"}"; port = "1229"; '
                         f'hash = "{hash}"; auth = "{auth}";',
            "tcp": f'key_file = "{key}"; family = "{family}"; '
                   f'address = "{f"10.99.0.{n}" if family == "ipv4" else f"fd99::{n}"}"; port = "1229"; '
                   f'hash = "{hash}"; auth = "{auth}";',
            "serial": settings,
        }
        conf = (f'fence_virtd {{ listener = "{listener}"; backend = "{backend}"; }}\n'
                f'listeners {{ {listener} {{ {parts[listener]} }} }}\n'
                f'backends {{ {backend} {{ ' + ('name_mode = "name"; ' if backend == "cpg" else "") + " ".join(f'uri{i or ""} = "{u}";' for i, u in enumerate(uris)) + ' } }\n'
                + groups)
        self.conf = lab.write(name + ".conf", conf)
        self.pidfile = f"{lab.dir}/{name}.pid"
        self.log = f"{lab.dir}/{name}.log"
        self.state = f"{lab.dir}/{lab.id}-{name}"
        os.makedirs(self.state, exist_ok=True)
        self.start(wait)
        lab.daemons.append(self)

    def start(self, wait=True):
        program = STOCK_VIRTD if self.stock else OUR_VIRTD
        argv = [program, "-F", "-f", self.conf, "-p", self.pidfile]
        # its words would stay in a buffer
        argv = (["stdbuf", "-oL"] + argv + ["-d", "99"]) if self.stock else argv + ["--state-dir", self.state, "--name", f"virtd-{os.path.basename(self.state)}"]
        self.log_from = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as out:
            # the daemon ends with us, whatever happens
            self.p = subprocess.Popen(["ip", "netns", "exec", self.ns, "setpriv", "--pdeathsig", "KILL"] + argv,
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + 20
        while wait and not self.listens():
            if self.p.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{program} does not listen: {self.text()[-600:]}")
            time.sleep(0.02)

    def listens(self):
        out = sh("ip", "netns", "exec", self.ns, "ss", "-Hlntu")
        return ":1229 " in out and (self.stock or self.text()[self.log_from:].count("state=up") >= self.n_uris)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, sig=signal.SIGTERM):
        if self.p.poll() is None:
            self.p.send_signal(sig)
            try:
                self.p.wait(3)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        if self in self.lab.daemons:
            self.lab.daemons.remove(self)
