# SPDX-License-Identifier: GPL-3.0-or-later
"""A death that the hypervisor attests is out of the view, proven and taken over sooner than one that corosync has to miss.

Goal: fenced has corosync look at once (FENCE-17), with one survivor and with two; the survivors stay together, nobody is fenced,
corosync's settings are what they were, also when fenced dies in the middle; words that are replayed or forged change no ring
(SAFE-11). Method: stockade-virtd on the switch, with libvirt's built-in test driver as its machines; power cuts of the
serving node by turns with its word and without; real corosync with a token of 1.7 s. Compared is the order, in one run.
"""
import ctypes
import os
import signal
import socket
import threading
import time

import rooms
from cluster import Cluster
from hypervisor import Hypervisor, all_ready, bound, guest, start
from scene import Refuted, built, until
from views import Member, settled

CLONE_NEWNET = 0x40000000
KEYS = ("totem.token", "totem.consensus", "runtime.config.totem.token", "runtime.config.totem.consensus", "runtime.force_gather")


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


def settings(c, k):
    out = c.lab.exec(k, "corosync-cmapctl").out
    return sorted(line for line in out.splitlines() if line.split(" ")[0] in KEYS)


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
    if len(c.nodes) > 2:      # of two: next_fenced_takes_a_word_about_a_life_that_was_kept
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
