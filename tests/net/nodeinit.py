#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""nodeinit - pid 1 of a laboratory node (see netlab.py).

Started by the lab's keeper inside fresh mount, uts, ipc, pid namespaces and the node's own network
namespace. It lays out the node's private file systems, then plays the part of the service manager:
starts the node's services in order, waits for READY=1 of those that notify, restarts the ones that
die, reaps orphans, and takes orders on a local socket. It never leaves the node's cgroup, so a frozen
node has a frozen service manager too.

usage: nodeinit.py SPEC.json      (prints "booted" once the file systems stand)
"""
import collections
import ctypes
import json
import os
import selectors
import signal
import socket
import sys
import time

MS_BIND, MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV = 4096, 16384, 1 << 18, 2, 4
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source, target, fstype=None, flags=0, data=None):
    def enc(s):
        return s.encode() if s is not None else None
    if LIBC.mount(enc(source), enc(target), enc(fstype), ctypes.c_ulong(flags), enc(data)) != 0:
        err = ctypes.get_errno()
        raise OSError(err, f"mount {source} on {target}: {os.strerror(err)}")


def bind(source, target):
    mount(source, target, flags=MS_BIND)


def umount_below(prefix):
    """Detach every mount at or below prefix, innermost first: this node must not pin what is not its own."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        points = [line.split()[4] for line in f]
    for p in reversed(points):
        if p == prefix or p.startswith(prefix + "/"):
            LIBC.umount2(p.encode(), MNT_DETACH)


def lay_out(spec):
    """Give the node its own /etc, /var, /run, /dev/shm, boot id, and doors to the lab at /run/lab."""
    d = spec["dir"]
    fd = os.open(d, os.O_PATH)           # the lab's directory may lie below something hidden here
    base = f"/proc/self/fd/{fd}"
    mount(None, "/", flags=MS_REC | MS_PRIVATE)
    for top in ("etc", "var"):
        mount("lab", f"/{top}", "overlay", 0,
              f"lowerdir=/{top},upperdir={d}/{top},workdir={d}/{top}.work")
    mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=512m,mode=1777")
    umount_below("/run/netns")
    mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=755")
    for p in ("/run/lock", "/run/lab", "/run/lab/disk", "/run/lab/node"):
        os.mkdir(p)
    bind(f"{base}/../disk", "/run/lab/disk")
    bind(f"{base}/door", "/run/lab/node")
    # One kernel has one boot id; a node's life must have its own, or nobody could tell two lives apart.
    bind(f"{base}/boot_id", "/proc/sys/kernel/random/boot_id")
    # Nor do two machines have one uuid: a guest of a hypervisor reads its own from its firmware.
    mount("lab", "/sys/class", "overlay", 0, f"lowerdir=/sys/class,upperdir={d}/class,workdir={d}/class.work")
    # The host's panic button and watchdog are the host's: pressing ours rings the lab's power switch.
    if os.path.exists("/proc/sysrq-trigger"):
        bind(f"{base}/door/sysrq", "/proc/sysrq-trigger")
    for dev in sorted(os.listdir("/dev")):
        if dev.startswith("watchdog"):
            bind("/dev/null", f"/dev/{dev}")
    os.close(fd)
    socket.sethostname(spec["hostname"])


class Service:
    """One service: what to run, and where it is in its life."""

    def __init__(self, spec):
        self.name = spec["name"]
        self.argv = spec["argv"]
        self.env = spec.get("env", {})
        self.notify = spec.get("notify", False)       # it says READY=1; the next service waits for that
        self.restart_ms = spec.get("restart_ms")      # None: never restarted
        self.kill_all = spec.get("kill_all", False)   # its children die with it (KillMode=control-group)
        self.runtime_dir = spec.get("runtime_dir")    # made below /run, kept when it ends
        self.pid = None
        self.state = "stopped"                        # stopped, starting, ready, waiting (to restart), failed
        self.starts = 0
        self.last_status = None
        self.due = None                               # monotonic second of the next start
        self.sock = None

    def facts(self):
        return {"state": self.state, "pid": self.pid, "starts": self.starts, "status": self.last_status}


class Init:
    def __init__(self, spec):
        self.cgroup = spec["cgroup"]
        self.services = {s["name"]: Service(s) for s in spec["services"]}
        self.queue = collections.deque(s["name"] for s in spec["services"] if s.get("auto", True))
        self.sel = selectors.DefaultSelector()
        self.waiters = []                             # (connection, service name, state that answers)
        self.leaving = False
        self.wake, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
        self.sel.register(self.wake, selectors.EVENT_READ, self.on_child)
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.door.bind("/run/lab/node/init")
        self.door.listen(16)
        self.sel.register(self.door, selectors.EVENT_READ, self.on_connect)
        os.mkdir("/run/notify")

    # -- services ------------------------------------------------------------------------------
    def start(self, svc):
        if svc.pid:
            return
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
               "HOME": "/root", **svc.env}
        if svc.notify:
            path = f"/run/notify/{svc.name}"
            if svc.sock:
                self.sel.unregister(svc.sock)
                svc.sock.close()
                os.unlink(path)
            svc.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            svc.sock.bind(path)
            self.sel.register(svc.sock, selectors.EVENT_READ, lambda: self.on_notify(svc))
            env["NOTIFY_SOCKET"] = path
        if svc.runtime_dir:
            os.makedirs(f"/run/{svc.runtime_dir}", 0o750, exist_ok=True)
        if svc.kill_all:
            os.makedirs(f"{self.cgroup}/{svc.name}", exist_ok=True)
        svc.starts += 1
        svc.due = None
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                if svc.kill_all:
                    with open(f"{self.cgroup}/{svc.name}/cgroup.procs", "w", encoding="utf-8") as f:
                        f.write("0")
                for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
                    signal.signal(s, signal.SIG_DFL)
                null = os.open("/dev/null", os.O_RDONLY)
                log = os.open(f"/var/log/{svc.name}.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                os.dup2(null, 0)
                os.dup2(log, 1)
                os.dup2(log, 2)
                os.execvpe(svc.argv[0], svc.argv, env)
            except OSError as e:
                os.write(2, f"nodeinit: {svc.name}: {e}\n".encode())
            os._exit(127)
        svc.pid = pid
        svc.state = "starting" if svc.notify else "ready"
        self.settle(svc)

    def stop(self, svc, sig=signal.SIGTERM):
        svc.due = None
        if svc.name in self.queue:
            self.queue.remove(svc.name)
        if svc.pid:
            svc.state = "stopping"
            os.kill(svc.pid, sig)
        else:
            svc.state = "stopped"
        self.settle(svc)

    def on_notify(self, svc):
        try:
            said = svc.sock.recv(4096).decode(errors="replace").splitlines()
        except BlockingIOError:
            return
        if "READY=1" in said and svc.state == "starting":
            svc.state = "ready"
            self.settle(svc)

    def on_child(self):
        try:
            os.read(self.wake, 512)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for svc in self.services.values():
                if svc.pid == pid:
                    self.ended(svc, os.waitstatus_to_exitcode(status))

    def ended(self, svc, status):
        svc.pid, svc.last_status = None, status
        if svc.kill_all:
            with open(f"{self.cgroup}/{svc.name}/cgroup.kill", "w", encoding="utf-8") as f:
                f.write("1")
        if svc.state == "stopping" or self.leaving:
            svc.state = "stopped"
        elif svc.restart_ms is not None:
            svc.state, svc.due = "waiting", time.monotonic() + svc.restart_ms / 1000
        else:
            svc.state = "failed"
        self.settle(svc)

    def settle(self, svc):
        """Answer whoever waits for this service; a service that cannot get there answers too."""
        for w in list(self.waiters):
            conn, name, want = w
            if name == svc.name and (svc.state == want or svc.state == "failed"):
                self.waiters.remove(w)
                self.answer(conn, svc.facts())

    def advance(self):
        """Start what is due: the boot queue one after the other, then restarts."""
        while self.queue:
            svc = self.services[self.queue[0]]
            if svc.state in ("stopped", "waiting"):
                self.start(svc)
            if svc.state == "starting":
                break
            self.queue.popleft()
        now = time.monotonic()
        for svc in self.services.values():
            if svc.state == "waiting" and svc.due is not None and svc.due <= now:
                self.start(svc)

    # -- orders --------------------------------------------------------------------------------
    def on_connect(self):
        try:
            conn, _ = self.door.accept()
        except BlockingIOError:
            return
        conn.settimeout(5)
        try:
            order = json.loads(conn.makefile("r").readline() or "{}")
            self.obey(conn, order)
        except (OSError, ValueError, KeyError) as e:
            self.answer(conn, {"error": f"{type(e).__name__}: {e}"})

    def obey(self, conn, order):
        do = order.get("do")
        if do == "status":
            self.answer(conn, {n: s.facts() for n, s in self.services.items()})
        elif do == "start":
            svc = self.services[order["name"]]
            self.waiters.append((conn, svc.name, "ready"))
            self.start(svc) if not svc.pid else self.settle(svc)
        elif do == "stop":
            svc = self.services[order["name"]]
            self.waiters.append((conn, svc.name, "stopped"))
            self.stop(svc)
        elif do == "add":
            svc = Service(order["service"])
            old = self.services.get(svc.name)
            if old and old.pid:
                raise ValueError(f"{svc.name} is running")
            self.services[svc.name] = svc
            self.answer(conn, svc.facts())
        elif do == "shutdown":
            self.shutdown(conn)
        else:
            raise ValueError(f"unknown order {do!r}")

    @staticmethod
    def answer(conn, obj):
        try:
            conn.sendall((json.dumps(obj) + "\n").encode())
        except OSError:
            pass
        conn.close()

    def shutdown(self, conn):
        """Stop in reverse order of start, each to its end, then leave: the node is off."""
        self.leaving = True
        self.queue.clear()
        for svc in reversed(list(self.services.values())):
            if not svc.pid:
                continue
            os.kill(svc.pid, signal.SIGTERM)
            until = time.monotonic() + 90
            while svc.pid:
                self.on_child()
                if time.monotonic() > until:
                    os.kill(svc.pid, signal.SIGKILL)
                time.sleep(0.005)
        self.answer(conn, {n: s.facts() for n, s in self.services.items()})
        os._exit(0)

    def run(self):
        while True:
            self.advance()
            dues = [s.due for s in self.services.values() if s.state == "waiting" and s.due is not None]
            wait = max(0.0, min(dues) - time.monotonic()) if dues else None
            for key, _ in self.sel.select(wait):
                key.data()


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        spec = json.load(f)
    lay_out(spec)
    init = Init(spec)
    sys.stdout.write("booted\n")
    sys.stdout.flush()
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    init.run()


main()
