#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""keeper - the machine room of one laboratory: power, cables, namespaces (see netlab.py).

One process per lab. It builds the nodes, owns the power switch that fence_dummy speaks to, and takes the
lab down when its owner goes away, however that happens: end of its standard input (the owner died or
closed it), a signal, or the order "down". Everything it makes carries its pid in the name, so that
`lab reap` finds what a killed keeper left.

usage: keeper.py   (netlab.Lab starts it: a line of JSON in says what to build, a line out that it stands)
"""
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import rooms  # noqa: E402  (beside this file)
from powerswitch import PowerSwitch  # noqa: E402


class LabError(Exception):
    pass


def run(*argv, stdin=None):
    p = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if p.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {p.stderr.strip() or p.returncode}")
    return p.stdout


def until(cond, what, seconds=10.0, step=0.002):
    end = time.monotonic() + seconds
    while not cond():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(step)


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


class Node:
    """What the machine room knows about one node. `lock` is held while its power changes."""

    def __init__(self, lab, k):
        self.k = k
        self.name = f"n{k}"
        self.dir = f"{lab.dir}/n{k}"
        self.netns = f"{lab.id}-{k}"
        self.cgroup = f"{lab.cgroup}/n{k}"
        self.lock = threading.RLock()
        self.power = "off"            # the truth: on, off; frozen is not a kind of off
        self.frozen = False
        self.life = 0
        self.boot_id = None
        self.pid1 = None              # as the host sees it
        self.proc = None              # unshare, the parent of pid 1
        self.services = []
        self.was = []                 # [(life, boot id)]

    def facts(self):
        return {"power": self.power, "frozen": self.frozen, "life": self.life, "boot_id": self.boot_id,
                "pid1": self.pid1, "dir": self.dir, "cgroup": self.cgroup, "netns": self.netns,
                "lives": self.was}


class Keeper:
    def __init__(self, cfg):
        self.cfg = cfg
        self.links = cfg.get("links", 1)
        self.id = rooms.lab_id(os.getpid())
        self.dir = rooms.lab_dir(os.getpid())
        self.cgroup = f"{rooms.cgroup2()}/{self.id}"
        self.sw = f"{self.id}-sw"
        self.net_lock = threading.Lock()
        self.closing = threading.Event()
        self.events = open(os.devnull, "a", encoding="utf-8")
        self.events_lock = threading.Lock()
        self.nodes = {k: Node(self, k) for k in range(1, cfg["nodes"] + 1)}
        for n in self.nodes.values():
            n.services = cfg["services"]
        self.failed = []              # what went wrong while the nodes boot side by side
        self.switch = PowerSwitch(self)

    def log(self, what, **keys):
        """One line per fact in events.jsonl; t is CLOCK_MONOTONIC, common to the host and all nodes."""
        with self.events_lock:
            self.events.write(json.dumps({"t": round(time.monotonic(), 6), "what": what, **keys}) + "\n")
            self.events.flush()

    # -- building ------------------------------------------------------------------------------
    def build(self):
        os.mkdir(self.dir, 0o700)
        run("mount", "-t", "tmpfs", "-o", "mode=700", self.id, self.dir)
        os.mkdir(f"{self.dir}/disk")
        self.events = open(f"{self.dir}/events.jsonl", "a", encoding="utf-8")
        if self.cfg.get("name"):
            write(f"{self.dir}/name", self.cfg["name"])
        os.mkdir(self.cgroup)
        run("ip", "netns", "add", self.sw)
        run("ip", "-n", self.sw, "-batch", "-", stdin="link set lo up\n" + "".join(
            f"link add br{x} address 02:00:4c:00:00:{x:02x} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set br{x} up\n"
            f"addr add {rooms.addr(rooms.GATEWAY, x)}/24 dev br{x}\n"
            for x in range(self.links)))
        self.nft("table bridge lab {\n set cut { type ifname . ifname; }\n chain loss { }\n"
                 " chain forw { type filter hook forward priority 0; policy accept;\n"
                 "  iifname . oifname @cut drop\n  jump loss\n }\n}\n")
        for n in self.nodes.values():
            for d in ("", "/etc", "/etc.work", "/var", "/var.work", "/class", "/class.work", "/door"):
                os.mkdir(n.dir + d)
            os.makedirs(f"{n.dir}/class/dmi/id")
            write(f"{n.dir}/class/dmi/id/product_uuid", rooms.machine_uuid(n.k) + "\n")
            os.mkdir(n.cgroup)
            for path, text in self.cfg["files"].items():
                self.put(n, path, text["text"].replace("%K%", str(n.k)), text.get("mode", 0o644))
            # nothing that the host keeps at these places may shine through
            for path in rooms.PRIVATE:
                os.makedirs(n.dir + path, exist_ok=True)
                os.setxattr(n.dir + path, "trusted.overlay.opaque", b"y")
            os.mkfifo(f"{n.dir}/door/sysrq")
            self.switch.serve(n)
            threading.Thread(target=self.watch_sysrq, args=(n,), daemon=True).start()
        boots = [threading.Thread(target=self.try_boot, args=(n,)) for n in self.nodes.values()
                 if n.k in self.cfg.get("boot", self.nodes)]
        for t in boots:
            t.start()
        for t in boots:
            t.join()
        if self.failed:
            raise LabError("; ".join(self.failed))

    def try_boot(self, n):
        try:
            self.boot(n, "lab")
        except (LabError, OSError) as e:
            self.failed.append(f"{n.name}: {e}")

    def put(self, n, path, text, mode=0o644):
        """A file on the node's own disk; while the node runs it goes through the node's eyes."""
        with n.lock:
            top = path.split("/")[1]
            if top not in ("etc", "var"):
                raise LabError(f"{path}: only /etc and /var are on a node's disk")
            root = f"/proc/{n.pid1}/root" if n.power == "on" else n.dir
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            write(root + path, text)
            os.chmod(root + path, mode)

    def wire(self, n):
        """The node's network namespace, its cables and addresses; a fixed MAC, as a real card has."""
        run("ip", "netns", "add", n.netns)
        up = "".join(f"link add p{n.k}.{x} type veth peer name eth{x} netns {n.netns}\n"
                     f"link set p{n.k}.{x} master br{x} up\n" for x in range(self.links))
        run("ip", "-n", self.sw, "-batch", "-", stdin=up)
        run("ip", "-n", n.netns, "-batch", "-", stdin="link set lo up\n" + "".join(
            f"link set eth{x} address 02:77:00:00:{x:02x}:{n.k:02x} up\naddr add {rooms.addr(n.k, x)}/24 dev eth{x}\n"
            for x in range(self.links)))

    def boot(self, n, by):
        with n.lock:
            if n.power == "on" or self.closing.is_set():
                return
            if os.path.exists(f"{n.dir}/door/init"):
                os.unlink(f"{n.dir}/door/init")
            self.wire(n)
            n.life += 1
            n.boot_id = str(uuid.uuid4())
            n.was.append((n.life, n.boot_id))
            write(f"{n.dir}/boot_id", n.boot_id + "\n")
            write(f"{n.dir}/spec.json", json.dumps({"dir": n.dir, "hostname": n.name, "cgroup": n.cgroup,
                                                         "services": n.services}))
            with open(f"{n.dir}/init.log", "ab") as err:
                n.proc = subprocess.Popen(
                    ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', n.cgroup,
                     "nsenter", f"--net=/run/netns/{n.netns}",
                     "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc",
                     "/usr/bin/python3", f"{HERE}/nodeinit.py", f"{n.dir}/spec.json"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, start_new_session=True)
            if n.proc.stdout.readline() != b"booted\n":
                self.kill(n)
                with open(f"{n.dir}/init.log", encoding="utf-8", errors="replace") as f:
                    raise LabError(f"{n.name} did not boot: {f.read()[-800:]}")
            # nsenter without a pid namespace and unshare exec in place: pid 1 is unshare's only child
            n.pid1 = rooms.only_child(n.proc.pid)
            n.power, n.frozen = "on", False
            self.log("on", node=n.k, by=by, life=n.life, boot_id=n.boot_id)
            threading.Thread(target=self.watch_life, args=(n, n.proc, n.life), daemon=True).start()

    # -- power ---------------------------------------------------------------------------------
    def ports(self, n, state, link=None):
        lines = "".join(f"link set p{n.k}.{x} {state}\n" for x in range(self.links) if link in (None, x))
        run("ip", "-n", self.sw, "-batch", "-", stdin=lines)

    def kill(self, n):
        """Everything in the node dies at once; returns when nothing of it is left."""
        write(f"{n.cgroup}/cgroup.kill", "1")
        until(lambda: rooms.unpopulated(n.cgroup), f"{n.name}: death of all its processes")
        if n.frozen:
            write(f"{n.cgroup}/cgroup.freeze", "0")
        n.proc.wait()
        n.proc.stdout.close()
        n.pid1, n.frozen = None, False
        # the dead kernel's sockets must not speak up again: its network stack goes with it
        run("ip", "-n", self.sw, "-batch", "-", stdin="".join(f"link del p{n.k}.{x}\n" for x in range(self.links)))
        run("ip", "netns", "del", n.netns)

    def powercut(self, n, by):
        with n.lock:
            if n.power == "off" or self.closing.is_set():
                return
            t0 = time.monotonic()
            self.ports(n, "down")     # first: no FIN, RST or ICMP may escape the dying kernel
            self.kill(n)
            n.power = "off"
            self.log("off", node=n.k, by=by, life=n.life, took_ms=round((time.monotonic() - t0) * 1000, 1))

    def watch_life(self, n, proc, life):
        """A node that ends by itself: by reboot(2) (pid 1 gets HUP), power off (INT), or shutdown."""
        proc.wait()
        with n.lock:
            if self.closing.is_set() or n.power == "off" or n.life != life:
                return
            again = proc.returncode == -signal.SIGHUP
            self.powercut(n, "itself: reboot" if again else "itself")
            if again:
                self.boot(n, "itself")

    def watch_sysrq(self, n):
        fd = os.open(f"{n.dir}/door/sysrq", os.O_RDWR)
        while not self.closing.is_set():
            for key in os.read(fd, 64).decode(errors="replace"):
                if key in "boc":
                    self.powercut(n, f"itself: sysrq-{key}")
                    if key == "b":
                        self.boot(n, "itself")

    def freeze(self, n, yes):
        with n.lock:
            if n.power == "off":
                raise LabError(f"{n.name} is off")
            write(f"{n.cgroup}/cgroup.freeze", "1" if yes else "0")
            until(lambda: rooms.frozen(n.cgroup) == yes, f"{n.name}: freeze={yes}")
            n.frozen = yes
            self.log("freeze" if yes else "thaw", node=n.k, life=n.life)

    # -- cables --------------------------------------------------------------------------------
    def nft(self, rules):
        run("ip", "netns", "exec", self.sw, "nft", "-f", "-", stdin=rules)

    def cut(self, pairs):
        with self.net_lock:
            self.nft("".join(f"add element bridge lab cut {{ p{a}.{x} . p{b}.{x} }}\n"
                             for a, b in pairs for x in range(self.links)))
        self.log("cut", pairs=pairs)

    def heal(self):
        with self.net_lock:
            self.nft("flush set bridge lab cut\n")
        self.log("heal")

    def loss(self, k, percent):
        with self.net_lock:
            self.nft("flush chain bridge lab loss\n" if percent == 0 else
                     f'add rule bridge lab loss iifname "p{k}.*" numgen random mod 10000 < {int(percent * 100)} drop\n')
        self.log("loss", node=k, percent=percent)

    # -- orders from netlab.Lab and the lab command --------------------------------------------
    def order(self, o):
        do = o["do"]
        n = self.nodes.get(o["node"]) if "node" in o else None
        if "node" in o and n is None:
            raise LabError(f"no node {o['node']}")
        simple = {
            "powercut": lambda: self.powercut(n, o.get("by", "test")),
            "boot": lambda: self.boot(n, o.get("by", "test")),
            "reboot": lambda: (self.powercut(n, "test"), self.boot(n, "test")),
            "freeze": lambda: self.freeze(n, True),
            "thaw": lambda: self.freeze(n, False),
            "unplug": lambda: (self.ports(n, "down", o.get("link")), self.log("unplug", node=n.k)),
            "plug": lambda: (self.ports(n, "up", o.get("link")), self.log("plug", node=n.k)),
            "cut": lambda: self.cut(o["pairs"]),
            "heal": self.heal,
            "loss": lambda: self.loss(o.get("node", 0), o["percent"]),
            "put": lambda: self.put(n, o["path"], o["text"], o.get("mode", 0o644)),
            "services": lambda: setattr(n, "services", o["services"]),
            "fault": lambda: self.switch.add_fault(o["fault"]),
            "faults_clear": self.switch.clear_faults,
            "reach": lambda: self.switch.reach(n, o["how"]),
            "note": lambda: self.log("note", text=o["text"]),
        }
        if do == "status":
            return {"id": self.id, "dir": self.dir, "pid": os.getpid(), "sw": self.sw, "links": self.links,
                    "name": self.cfg.get("name", ""), "nodes": {k: n.facts() for k, n in self.nodes.items()},
                    "faults": self.switch.facts()}
        if do not in simple:
            raise LabError(f"unknown order {do!r}")
        simple[do]()
        return {}

    def serve(self, ready):
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind(f"{self.dir}/control")
        door.listen(16)
        print(json.dumps({"ready": ready, "dir": self.dir, "id": self.id}), flush=True)

        def one(conn):
            with conn, conn.makefile("rw") as f:
                for line in f:
                    try:
                        o = json.loads(line)
                        if o["do"] == "down":
                            END.put("down")
                            self.closing.wait()
                        answer = {"ok": True, **(self.order(o) if o["do"] != "down" else {})}
                    except (LabError, OSError, KeyError, ValueError, TypeError) as e:
                        answer = {"ok": False, "error": f"{type(e).__name__}: {e}"}
                    f.write(json.dumps(answer) + "\n")
                    f.flush()

        def accept():
            while True:
                try:
                    conn, _ = door.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(conn,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()

    def down(self):
        self.closing.set()
        for n in self.nodes.values():
            n.lock.acquire(timeout=20)    # a boot or cut under way ends first; no new one begins
        rooms.demolish(os.getpid())


END = queue.SimpleQueue()             # why the lab ends: a signal, end of standard input, the order "down"


def main():
    cfg = json.loads(sys.stdin.readline())
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, lambda num, _: END.put(f"signal {num}"))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if cfg.get("attached", True):     # the owner holds the other end of standard input: its death is ours
        def owner():
            while os.read(0, 64):
                pass
            END.put("owner gone")
        threading.Thread(target=owner, daemon=True).start()
    keeper = Keeper(cfg)
    t0 = time.monotonic()
    try:
        keeper.build()
        keeper.serve(round(time.monotonic() - t0, 3))
        keeper.log("down", why=END.get())
    except (LabError, OSError, KeyError) as e:
        print(json.dumps({"error": f"{type(e).__name__}: {e}"}), flush=True)
    finally:
        if cfg.get("keep_logs") and os.path.ismount(keeper.dir):
            shutil.copytree(keeper.dir, cfg["keep_logs"], dirs_exist_ok=True,
                            ignore=lambda d, names: [x for x in names if rooms.not_worth_keeping(d, x)])
        keeper.down()


main()
