# SPDX-License-Identifier: GPL-3.0-or-later
"""A death that the hypervisor attests is out of the view, proven and taken over sooner than one that corosync has to miss.

Goal: fenced has corosync look at once (FENCE-17), with one survivor and with two; the survivors stay together, nobody is fenced,
corosync's settings are what they were, also when fenced dies in the middle; words that are replayed or forged change no ring;
of two nodes, a fenced that is new takes the word for the life that its predecessor kept on the disk (SAFE-11). Method: stockade-virtd on the switch, with libvirt's built-in test driver as its machines; power cuts of the
serving node by turns with its word and without; real corosync with a token of 1.7 s. Compared is the order, in one run.
"""
import ctypes
import os
import signal
import socket
import subprocess
import threading
import time

import rooms
from cluster import Cluster
from scene import Refuted, built, until
from views import Member, settled

KEY = "attested deaths, for tests only\n"
CLONE_NEWNET = 0x40000000
KEYS = ("totem.token", "totem.consensus", "runtime.config.totem.token", "runtime.config.totem.consensus", "runtime.force_gather")


class Hypervisor:
    """stockade-virtd in the switch's namespace. Its guests n1.. are the nodes; they live in the daemon's own process."""

    def __init__(self, lab, nodes):
        self.lab, self.netns, self.nodes = lab, lab.status()["sw"], range(1, nodes + 1)
        self.dir = f"{lab.dir}/hypervisor"
        os.mkdir(self.dir)
        xml = "".join(f"<domain type='test'><name>n{k}</name><uuid>{rooms.machine_uuid(k)}</uuid><memory>1024</memory>"
                      "<os><type>hvm</type></os></domain>\n" for k in range(1, nodes + 1))
        self.write("machines.xml", f"<node>\n{xml}</node>\n")
        self.write("key", KEY)
        self.proc = None

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(f"{self.dir}/{name}", 0o600)

    def start(self, attest):
        """Anew, all guests on; it fences, and states deaths or not."""
        self.stop()
        self.write("virtd.conf", 'fence_virtd { listener = "multicast"; backend = "libvirt"; }\n'
                   f'listeners {{ multicast {{ key_file = "{self.dir}/key"; interface = "br0"; family = "ipv4"; '
                   'address = "225.0.0.12"; port = "1229"; } }\n'
                   f'backends {{ libvirt {{ uri = "test://{self.dir}/machines.xml"; }} }}\n'
                   f'stockade {{ attest = "{attest}"; }}\ngroups {{ group = "all" {{\n'
                   + "".join(f'ip = "{rooms.addr(k)}"; uuid = "n{k}";\n' for k in self.nodes) + "} }\n")
        with open(f"{self.dir}/log", "ab") as out:
            # it ends with us, whatever happens
            self.proc = subprocess.Popen(
                ["ip", "netns", "exec", self.netns, "setpriv", "--pdeathsig", "KILL", built("stockade-virtd"), "-f",
                 f"{self.dir}/virtd.conf", "-p", f"{self.dir}/pid", "--state-dir", f"{self.dir}/state", "-d", "1",
                 "--name", f"virtd-{os.getpid()}"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def stop(self):
        if self.proc:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.proc = None


class Tap(threading.Thread):
    """Hears every datagram from stockade-virtd's port on the bridge: [(destination, payload)]."""

    def __init__(self, netns):
        super().__init__(daemon=True)
        self.netns, self.heard, self.ready, self.sock = netns, [], threading.Event(), None
        self.start()
        self.ready.wait(5)

    def run(self):
        enter(self.netns)
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.sock.bind(("br0", 0))
        self.ready.set()
        while True:
            try:
                data = self.sock.recv(2048)
            except OSError:
                return
            if len(data) > 28 and data[0] == 0x45 and data[9] == 17 and data[20:22] == (1230).to_bytes(2, "big"):
                self.heard.append(((socket.inet_ntoa(data[16:20]), int.from_bytes(data[22:24], "big")), bytes(data[28:])))


def enter(netns):
    """This thread, and no other, moves into a network namespace."""
    with open(f"/run/netns/{netns}", "rb") as f:
        if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")


def say_again(netns, words):
    """Send what was heard, and the same with a bit turned over, from where it came."""
    def send():
        enter(netns)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((rooms.addr(rooms.GATEWAY), 1230))
            for to, payload in words:
                bent = bytearray(payload)
                bent[len(bent) // 2] ^= 4
                s.sendto(payload, to)
                s.sendto(bytes(bent), to)
    t = threading.Thread(target=send)
    t.start()
    t.join()


def bound(c, nodes, since):
    """Each of these nodes has subscribed since then, and its own life is known to the hypervisor."""
    def one(k):
        said = c.status(k, "fenced").get("attest", [])
        return len(said) == 1 and said[0]["bound"] and said[0]["heard_ms"] < (time.monotonic() - since) * 1000
    return all(one(k) for k in nodes)


def all_ready(c):
    """Every path is known to work by everybody's own look since the hypervisor's daemon is back: whoever dies takes its own along."""
    time.sleep(0.5)
    for k in c.nodes:
        c.ask(k, "fenced", cmd="ready")
    c.wait_ready(seconds=60)

    def looked(k):
        others = {f"n{x}" for x in c.nodes}
        return all(others - {n["name"]} <= set(n["ready_by"]) for n in c.status(k, "fenced").get("nodes", []) if not n["self"])
    until(lambda: all(looked(k) for k in c.nodes), "everybody to have looked at every fence path", 60, 0.1)


def settings(c, k):
    out = c.lab.exec(k, "corosync-cmapctl").out
    return sorted(line for line in out.splitlines() if line.split(" ")[0] in KEYS)


def guest(c, by, k, action):
    """fence_xvm of node @by: the guest of node k is destroyed, or started."""
    res = c.lab.exec(by, built("fence_agents/xvm/fence_xvm"), timeout=40,
                     stdin=f"action={action}\nplug=n{k}\nkey_file=/etc/cluster/fence_xvm.key\n")
    if res.rc:
        raise Refuted(f"fence_xvm {action} n{k}: {res.rc} {res.err}")


def gone(c, m, victim):
    """(when every survivor had the view without the victim, that view's nodes)"""
    marks = {k: x.mark() for k, x in m.items() if k != victim}

    def seen():
        views = [next((v for v in m[k].of("view", mark) if victim not in v["nodes"]), None) for k, mark in marks.items()]
        return all(views) and views
    views = until(seen, f"n{victim} to be out of the view", 20, 0.005)
    return max(v["ms"] for v in views) / 1000, views


def die(t, c, m, hv, attested):
    """The serving node loses its power; seconds until the view, the proof's kind."""
    since = time.monotonic()
    hv.start("yes" if attested else "no")
    all_ready(c)
    if attested:
        until(lambda: bound(c, c.nodes, since), "the nodes to be known to their hypervisor", 30, 0.1)
    first = c.wait_server(seconds=60)
    victim, rest = first.node, [k for k in c.nodes if k != first.node]
    at = time.monotonic()
    c.lab.powercut(victim)
    killer = threading.Thread(target=guest, args=(c, rest[0], victim, "off"))
    if attested:
        killer.start()
    seen, views = gone(c, m, victim)
    if attested:
        killer.join()
    for v in views:
        t.equal(v["nodes"], rest, "nodes of the survivors' view")
    before, after, _ = c.handover(first, nodes=rest, seconds=40)
    proof = (until(lambda: c.seen(after.node, victim).get("proof"), "a proof", 20) or {}).get("kind")
    t.equal(proof, "hypervisor" if attested else "off_verified", "kind of the proof")
    if attested:
        guest(c, rest[0], victim, "on")
    until(lambda: c.lab.node(victim)["power"] == "on", f"n{victim} to be switched on again", 30)
    m[victim].proc.kill()
    m[victim].proc.wait()
    until(lambda: c.seen(after.node, victim).get("state") == "member", f"n{victim} to rejoin", 60)
    m[victim] = Member(c.lab, victim)
    settled(m.values(), c.nodes, seconds=30)
    return seen - at, after.first - at


def play(t):
    for nodes in (2, 3):
        with Cluster(t, nodes=nodes, detect="4s", boot=[],
                     fence={k: f"[{{switch: n{k}}}, {{hv: n{k}}}]" for k in range(1, nodes + 1)},
                     devices=[f"hv: {{agent: {built('fence_agents/xvm/fence_xvm')}, attest: yes}}"]) as c:
            hv = Hypervisor(c.lab, nodes)
            try:
                one_lab(t, c, hv)
            finally:
                hv.stop()


    kept(t)


def start(c):
    for k in c.nodes:
        c.lab.put(k, "/etc/cluster/fence_xvm.key", KEY, 0o600)
        c.lab.boot(k)
    c.prepare()
    c.lab.wait_quorate()


def kept(t):
    """fenced of the survivor dies while its agent hangs. The next one has never seen the victim; the word that comes now is the proof."""
    with Cluster(t, nodes=2, detect="2s", boot=[], fence_timeout="30s", fence={k: f"[{{switch: n{k}}}, {{hv: n{k}}}]" for k in (1, 2)},
                 devices=[f"hv: {{agent: {built('fence_agents/xvm/fence_xvm')}, attest: yes}}"]) as c:
        hv = Hypervisor(c.lab, 2)
        try:
            start(c)
            since = time.monotonic()
            hv.start("yes")
            all_ready(c)
            until(lambda: bound(c, c.nodes, since), "the nodes to be known to their hypervisor", 30, 0.1)
            first = c.wait_server(seconds=60)
            victim, rest = first.node, 3 - first.node
            c.lab.fault("hang", action="off")
            c.lab.powercut(victim)
            until(lambda: c.seen(rest, victim).get("state") == "victim", f"n{victim} to be a victim", 30)
            until(lambda: c.lab.calls(action="off"), "the agent to be called", 30)
            starts = c.lab.init(rest, "status")["fenced"]["starts"]
            for pid in c.lab.pids(rest, "stockade-fenced") + c.lab.pids(rest, "lt-stockade-fen"):
                os.kill(pid, signal.SIGKILL)
            until(lambda: c.lab.init(rest, "status")["fenced"]["starts"] > starts, "fenced to be started again", 30)
            since = time.monotonic()
            until(lambda: c.status(rest, "fenced").get("informed"), "the new fenced to be informed", 30)
            t.equal(c.seen(rest, victim)["state"], "unknown", f"n{victim} as the new fenced sees it")
            until(lambda: bound(c, [rest], since), "the new fenced to be known to the hypervisor", 30, 0.1)
            guest(c, rest, victim, "off")
            proof = until(lambda: c.seen(rest, victim).get("proof"), "a proof", 60)
            t.equal(proof["kind"], "hypervisor", f"kind of the proof: {proof}")
            c.handover(first, nodes=[rest], seconds=40)
            c.never_two_writers()
        finally:
            hv.stop()


def one_lab(t, c, hv):
    start(c)
    m = {k: Member(c.lab, k) for k in c.nodes}
    settled(m.values(), c.nodes, seconds=30)
    conf = {k: settings(c, k) for k in c.nodes}
    tap = Tap(hv.netns)
    took = {True: [], False: []}
    for attested in (False, True):
        mark = len(tap.heard)
        took[attested].append(die(t, c, m, hv, attested))
    hv.stop()
    words = tap.heard[mark:]
    for what, i in (("the view", 0), ("a successor's first record", 1)):
        text = {a: " ".join(f"{x[i]:.2f}" for x in took[a]) for a in took}
        t.say(f"{len(c.nodes)} nodes: {what} {text[True]} s after an attested death, {text[False]} s without the word")
        t.check(max(x[i] for x in took[True]) < min(x[i] for x in took[False]), f"{what} comes sooner with the hypervisor's word: {text}")
    ring = {k: m[k].view["ring"] for k in c.nodes}
    t.check(len(words) > 3, f"the words of the last death were heard on the wire ({len(words)})")
    say_again(hv.netns, words)
    time.sleep(1)
    t.equal({k: m[k].view["ring"] for k in c.nodes}, ring, "rings after words that were replayed and forged")
    if len(c.nodes) > 2:      # of two: kept()
        half_way(t, c, m, hv)
    for k in c.nodes:
        t.equal(settings(c, k), conf[k], f"corosync's settings on n{k}")
    died = [e["node"] for e in c.lab.events("off", by="test")]
    t.equal(sorted({e["plug"] for e in c.offs() if e["action"] == "off"} - {f"n{k}" for k in died}), [], "living nodes that were fenced")
    c.never_two_writers()
    for x in m.values():
        x.end()


def half_way(t, c, m, hv):
    """fenced of the survivor that asks is killed as soon as the word is there."""
    since = time.monotonic()
    hv.start("yes")
    all_ready(c)
    until(lambda: bound(c, c.nodes, since), "the nodes to be known to their hypervisor", 30, 0.1)
    first = c.wait_server(seconds=60)
    victim, rest = first.node, [k for k in c.nodes if k != first.node]
    c.lab.powercut(victim)
    guest(c, rest[-1], victim, "off")
    for pid in c.lab.pids(rest[0], "stockade-fenced") + c.lab.pids(rest[0], "lt-stockade-fen"):
        os.kill(pid, signal.SIGKILL)
    c.handover(first, nodes=rest, seconds=60)
    guest(c, rest[-1], victim, "on")
    until(lambda: c.lab.node(victim)["power"] == "on", f"n{victim} to be switched on again", 60)
    m[victim].proc.kill()
    m[victim].proc.wait()
    until(lambda: c.seen(rest[-1], victim).get("state") == "member", f"n{victim} to rejoin", 60)
    m[victim] = Member(c.lab, victim)
    settled(m.values(), c.nodes, seconds=30)
