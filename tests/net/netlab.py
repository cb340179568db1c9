# SPDX-License-Identifier: GPL-3.0-or-later
"""netlab - a cluster laboratory of network namespaces with real corosync, as a Python library.

    with Lab(nodes=3) as lab:            # booted, corosync running; gone when the block ends, however it ends
        lab.wait_quorate()
        lab.powercut(2)
        lab.exec(1, "corosync-quorumtool", "-s")

A node is one network, mount, uts, ipc and pid namespace and a cgroup v2 directory, with its own /etc, /var,
/run, /dev/shm and boot id; a switch in a namespace of its own joins them; nothing leads out of the machine.
In a node /run/lab/disk is the disk that all nodes share, /run/lab/node/power the power switch that the
agent fence_dummy speaks to. All times are CLOCK_MONOTONIC, which the host and all nodes have in common.
"""
import collections
import json
import os
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
if HERE not in sys.path:
    sys.path.insert(0, HERE)
import rooms  # noqa: E402  (beside this file)


class LabError(Exception):
    """The laboratory itself failed: no verdict about what was to be tested."""


Result = collections.namedtuple("Result", "rc out err")


def corosync_conf(nodes, *, cluster="lab", token=300, links=1, two_node=None, wait_for_all=None, extra_totem=""):
    """The settings that keep a small token honest on a busy machine: pings that knet can meet, no real-time."""
    pings = "" if links > 1 else "    knet_ping_interval: 200\n    knet_ping_timeout: 1000\n    knet_pong_count: 1\n"
    interfaces = "".join(f"  interface {{\n    linknumber: {x}\n{pings}  }}\n" for x in range(links))
    members = "".join(
        f"  node {{\n    nodeid: {k}\n    name: n{k}\n" +
        "".join(f"    ring{x}_addr: {rooms.addr(k, x)}\n" for x in range(links)) + "  }\n"
        for k in range(1, nodes + 1))
    quorum = "".join(f"  {key}: {int(value)}\n" for key, value in
                     (("two_node", two_node), ("wait_for_all", wait_for_all)) if value is not None)
    return (f"totem {{\n  version: 2\n  cluster_name: {cluster}\n  transport: knet\n  token: {token}\n"
            f"  token_coefficient: 0\n  crypto_cipher: none\n  crypto_hash: none\n{interfaces}{extra_totem}}}\n"
            f"nodelist {{\n{members}}}\n"
            f"quorum {{\n  provider: corosync_votequorum\n{quorum}}}\n"
            "system {\n  sched_rr: no\n  priority: max\n  move_to_root_cgroup: no\n}\n"
            "logging {\n  to_syslog: no\n  to_stderr: no\n  to_logfile: yes\n"
            "  logfile: /var/log/corosync/corosync.log\n  timestamp: hires\n}\n")


COROSYNC = {"name": "corosync", "argv": ["corosync", "-f"], "notify": True}


class Lab:
    """One laboratory. Arguments:

    nodes         how many, named n1.. with nodeids 1..
    token         corosync's token, ms; a dead node is seen after about 2.2 times that
    two_node      None: 1 for two nodes, else absent; wait_for_all likewise 0, 1 or None (corosync's default)
    links         network links per node (two links want token >= 1000 and 11 s after start, see corosync)
    boot          which nodes to boot at once; None: all
    services      what each node starts at boot, in order: dictionaries of nodeinit.Service
    files         {path below /etc or /var: text or (text, mode)} for every node; %K% becomes the node number
    keep_logs     a directory that receives the lab's files when it ends
    attached      False: it outlives this process (the lab command); `with` and down() end it otherwise
    """

    def __init__(self, nodes=3, *, token=300, two_node=None, wait_for_all=None, links=1, boot=None, services=None,
                 files=None, keep_logs=None, attached=True, name="", extra_totem=""):
        self.n = nodes
        self.token = token
        if two_node is None and nodes == 2:
            two_node = 1
        self._conn = None
        self._talk = threading.Lock()    # a scenario may ask from several threads
        self._last = None
        conf = corosync_conf(nodes, token=token, links=links, two_node=two_node, wait_for_all=wait_for_all,
                             extra_totem=extra_totem)
        every = {"/etc/corosync/corosync.conf": conf, "/var/log/corosync/.keep": ""}
        every.update(files or {})
        cfg = {"nodes": nodes, "links": links, "attached": attached, "name": name, "keep_logs": keep_logs,
               "services": services if services is not None else [COROSYNC],
               "boot": list(boot) if boot is not None else list(range(1, nodes + 1)),
               "files": {p: {"text": t, "mode": 0o644} if isinstance(t, str) else {"text": t[0], "mode": t[1]}
                         for p, t in every.items()}}
        missing = rooms.tools_missing()
        if missing:
            raise LabError(f"not installed: {', '.join(missing)}")
        if os.geteuid() != 0:
            raise LabError("a laboratory needs root")
        self.proc = subprocess.Popen(["/usr/bin/python3", f"{HERE}/keeper.py"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True, start_new_session=True,
                                     stderr=None if attached else subprocess.DEVNULL)  # who waits for `lab up` would wait for ever
        self.proc.stdin.write(json.dumps(cfg) + "\n")
        self.proc.stdin.flush()
        said = json.loads(self.proc.stdout.readline() or '{"error": "the keeper died"}')
        if "error" in said:
            self.proc.stdin.close()
            self.proc.wait()
            raise LabError(said["error"])
        if not attached:
            self.proc.stdin.close()
        self.dir, self.id, self.ready_s = said["dir"], said["id"], said["ready"]
        self._status()

    @classmethod
    def attach(cls, pid):
        """Another process's view of the lab that this keeper holds."""
        lab = cls.__new__(cls)
        lab.proc, lab._conn, lab._last, lab._talk = None, None, None, threading.Lock()
        lab.dir, lab.id = rooms.lab_dir(pid), rooms.lab_id(pid)
        lab.n = len(lab._status()["nodes"])
        return lab

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.down()

    def down(self):
        if self.proc is None:
            try:
                self.order("down")
            except (LabError, OSError):
                pass                     # its last words may be lost with its socket; what counts is that it goes
            until(lambda: not os.path.isdir(self.dir), "the lab to be gone", 30)
            return
        if not self.proc.stdin.closed:
            self.proc.stdin.close()
        self.proc.wait()
        self.proc.stdout.close()

    # -- orders --------------------------------------------------------------------------------
    def order(self, do, **keys):
        with self._talk:
            answer = self._order({"do": do, **keys})
        if not answer.pop("ok"):
            raise LabError(f"{do}: {answer['error']}")
        return answer

    def _order(self, request):
        if self._conn is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                sock.connect(f"{self.dir}/control")
            except OSError as e:
                sock.close()
                raise LabError(f"the lab does not answer: {e}") from e
            self._conn = sock.makefile("rw")
            sock.close()                 # the file keeps it open
        self._conn.write(json.dumps(request) + "\n")
        self._conn.flush()
        line = self._conn.readline()
        if not line:
            raise LabError("the lab is gone")
        return json.loads(line)

    def _status(self):
        self._last = self.order("status")
        return self._last

    def status(self):
        return self._status()

    def node(self, k):
        """The truth about a node: power, frozen, life, boot_id, pid1, dir, cgroup, netns."""
        return self._status()["nodes"][str(k)]

    def boot(self, k):
        self.order("boot", node=k)

    def powercut(self, k):
        """Cable first, then every process at once; returns when the node is truly off."""
        self.order("powercut", node=k)

    def reboot(self, k):
        """Power cut and boot: its disk stays, its memory and boot id do not."""
        self.order("reboot", node=k)

    def shutdown(self, k):
        """The orderly way: services stop in reverse order, then the node goes off."""
        said = self.init(k, "shutdown", timeout=120)
        until(lambda: self.node(k)["power"] == "off", f"n{k} to be off", 10)
        return said

    def freeze(self, k):
        self.order("freeze", node=k)

    def thaw(self, k):
        self.order("thaw", node=k)

    def unplug(self, k, link=None):
        self.order("unplug", node=k, link=link)

    def plug(self, k, link=None):
        self.order("plug", node=k, link=link)

    def cut(self, a, b):
        self.order("cut", pairs=[[a, b], [b, a]])

    def cut1(self, a, b):
        """What a sends does not reach b; the other way still works."""
        self.order("cut", pairs=[[a, b]])

    def split(self, *sides):
        """split((1, 2), (3,)): sides do not hear each other."""
        self.order("cut", pairs=[[a, b] for x in sides for y in sides if x is not y for a in x for b in y])

    def heal(self):
        self.order("heal")

    def loss(self, k, percent):
        """Percent of what node k sends is lost; 0 clears the loss of all nodes."""
        self.order("loss", percent=percent, **({"node": k} if k else {}))

    def put(self, k, path, text, mode=0o644):
        self.order("put", node=k, path=path, text=text, mode=mode)

    def note(self, text):
        self.order("note", text=text)

    # -- the power switch ----------------------------------------------------------------------
    def fault(self, kind, **where):
        """See powerswitch.py: fail, hang, lie, late, early, babble; actor=, victim=, action=, times=, seconds=."""
        self.order("fault", fault={"kind": kind, **where})

    def faults_clear(self):
        self.order("faults_clear")

    def reach(self, k, how):
        """Node k's way to the power switch: yes, refused, silent."""
        self.order("reach", node=k, how=how)

    def calls(self, **match):
        """Calls of agents at the switch, oldest first, those whose keys equal match."""
        return [c for c in jsonl(f"{self.dir}/power.jsonl") if all(c[k] == v for k, v in match.items())]

    def events(self, what=None, **match):
        """What truly happened in the machine room, oldest first."""
        return [e for e in jsonl(f"{self.dir}/events.jsonl")
                if what in (None, e["what"]) and all(e.get(k) == v for k, v in match.items())]

    # -- inside a node -------------------------------------------------------------------------
    def argv(self, k, *argv):
        """The command line that runs argv inside node k, in its cgroup: a power cut or freeze takes it along."""
        facts = self.node(k)
        if facts["power"] != "on":
            raise LabError(f"n{k} is off")
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', facts["cgroup"],
                "nsenter", "-t", str(facts["pid1"]), "-m", "-u", "-i", "-n", "-p", "--", *argv]

    def exec(self, k, *argv, timeout=30, stdin=None):
        """Run argv in node k; Result(rc, out, err); rc is None when the time limit ended it."""
        p = subprocess.Popen(self.argv(k, *argv), stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            out, err = p.communicate(stdin, timeout)
            return Result(p.returncode, out, err)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            out, err = p.communicate()
            return Result(None, out, err)

    def spawn(self, k, *argv, **popen):
        return subprocess.Popen(self.argv(k, *argv), start_new_session=True, **popen)

    def init(self, k, do, timeout=30, **keys):
        """An order to the node's service manager: status, start, stop, add, shutdown."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        with sock:
            try:
                sock.connect(f"{self.dir}/n{k}/door/init")
                sock.sendall((json.dumps({"do": do, **keys}) + "\n").encode())
                line = sock.makefile("r").readline()
            except OSError as e:
                raise LabError(f"n{k} init: {do} {keys}: {e}") from e
        answer = json.loads(line or '{"error": "no answer"}')
        if "error" in answer:
            raise LabError(f"n{k} init: {do} {keys}: {answer['error']}")
        return answer

    def start(self, k, name, timeout=30):
        return self.init(k, "start", timeout, name=name)

    def stop(self, k, name, timeout=60):
        return self.init(k, "stop", timeout, name=name)

    def add(self, k, service):
        return self.init(k, "add", service=service)

    def pids(self, k, comm):
        """Host pids of the node's processes of this name (as in /proc/PID/comm)."""
        found = []
        for top, _, _ in os.walk(self.node(k)["cgroup"]):
            with open(f"{top}/cgroup.procs", encoding="utf-8") as f:
                pids = f.read().split()
            for pid in pids:
                try:
                    with open(f"/proc/{pid}/comm", encoding="utf-8") as c:
                        if c.read().strip() == comm[:15]:
                            found.append(int(pid))
                except OSError:
                    continue             # it ended meanwhile
        return found

    def read(self, k, path):
        """A file of the node's own disk (/etc, /var), also when it is off; "" when absent."""
        try:
            with open(f"{self.dir}/n{k}{path}", encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    # -- corosync ------------------------------------------------------------------------------
    def quorum(self, k):
        """(quorate, members) as node k sees it; (None, ()) while its corosync does not answer."""
        r = self.exec(k, "corosync-quorumtool", "-s", timeout=10)
        quorate = next((line.split()[-1] == "Yes" for line in r.out.splitlines() if line.startswith("Quorate:")), None)
        members = [int(line.split()[0]) for line in r.out.partition("Membership information")[2].splitlines()
                   if line.split()[:1] and line.split()[0].isdigit()]
        return quorate, tuple(sorted(members))

    def wait_quorate(self, nodes=None, seconds=15):
        """Until every one of these nodes sees exactly these nodes, with quorum."""
        nodes = tuple(sorted(nodes or range(1, self.n + 1)))
        until(lambda: all(self.quorum(k) == (True, nodes) for k in nodes), f"quorum of {nodes}", seconds, 0.05)

    def wait_members(self, k, members, quorate, seconds=15):
        want = (quorate, tuple(sorted(members)))
        until(lambda: self.quorum(k) == want, f"n{k} to see {want}", seconds, 0.05)


def jsonl(path):
    try:
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
    except FileNotFoundError:
        return []


class Timeout(LabError):
    pass


def until(cond, what, seconds=10.0, step=0.01):
    """Wait for cond(); its value. What is waited for names the failure."""
    end = time.monotonic() + seconds
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"waited {seconds:g} s for {what}")
        time.sleep(step)
