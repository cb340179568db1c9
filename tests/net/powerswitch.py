# SPDX-License-Identifier: GPL-3.0-or-later
"""powerswitch - the hypervisor of a laboratory: what fence_dummy talks to, and the faults it can play.

Each node has its own socket (in the node: /run/lab/node/power), so that the switch knows who asks and one
node can lose its way to it; the network has no part in this. A request is one line, "ACTION [PLUG]"; a
plug is a node's name. The answer's first line is one of

    ok          done, and true
    on | off    the answer to status
    error TEXT  not done

and for list "ok" followed by a line "PLUG on|off" for each node; then the connection closes. Every call is
written to power.jsonl with its times (CLOCK_MONOTONIC), who asked, the answer, and the fault played.

A fault is a dictionary: kind, and optionally actor, victim (node numbers), action, times (how often, default
for ever), seconds.
    fail    answer error, do nothing
    hang    never answer (the caller's time limit is on test)
    lie     answer ok and do nothing
    late    wait `seconds`, then act, then answer
    early   answer ok at once, act after `seconds`
    babble  answer with something that is no answer
"""
import json
import os
import socket
import threading
import time

KINDS = ("fail", "hang", "lie", "late", "early", "babble")


class PowerSwitch:
    def __init__(self, keeper):
        self.keeper = keeper
        self.faults = []
        self.lock = threading.Lock()
        self.listeners = {}               # node number -> its listening socket
        self.mute = set()                 # nodes whose calls are accepted and never answered

    # -- knobs ---------------------------------------------------------------------------------
    def add_fault(self, fault):
        if fault.get("kind") not in KINDS:
            raise ValueError(f"fault kind {fault.get('kind')!r}, not one of {', '.join(KINDS)}")
        with self.lock:
            self.faults.append(dict(fault))

    def clear_faults(self):
        with self.lock:
            self.faults.clear()

    def facts(self):
        with self.lock:
            return [dict(f) for f in self.faults]

    def reach(self, n, how):
        """how: yes, refused (nobody listens), silent (connects, then nothing)."""
        if how not in ("yes", "refused", "silent"):
            raise ValueError(f"reach {how!r}, not yes, refused or silent")
        with self.lock:
            self.mute.discard(n.k)
            if how == "silent":
                self.mute.add(n.k)
            sock = self.listeners.pop(n.k, None) if how == "refused" else None
            missing = n.k not in self.listeners
        if sock:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
            os.unlink(f"{n.dir}/door/power")
        elif how != "refused" and missing:
            self.serve(n)
        self.keeper.log("reach", node=n.k, how=how)

    # -- the wire ------------------------------------------------------------------------------
    def serve(self, n):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(f"{n.dir}/door/power")
        sock.listen(64)
        with self.lock:
            self.listeners[n.k] = sock
        threading.Thread(target=self.accept, args=(n, sock), daemon=True).start()

    def accept(self, n, sock):
        while True:
            try:
                conn, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=self.call, args=(n, conn), daemon=True).start()

    def call(self, n, conn):
        t0 = time.monotonic()
        fault = None
        with conn:
            try:
                conn.settimeout(60)
                request = conn.makefile("r", errors="replace").readline().split()
                action, plug = (request + ["", ""])[:2]
                if action in ("on", "off", "reboot"):
                    self.keeper.log("call", actor=n.k, action=action, plug=plug)
                with self.lock:
                    mute = n.k in self.mute
                if mute:
                    fault, answer = {"kind": "silent"}, None
                else:
                    victim = self.plugged(plug)
                    fault = self.take_fault(n.k, victim.k if victim else None, action)
                    answer = self.perform(n, action, plug, victim, fault)
                if answer is None:
                    self.wait_for_hangup(conn)
                else:
                    conn.sendall((answer + "\n").encode())
            except OSError as e:
                answer = f"({e})"
        with self.keeper.events_lock, open(f"{self.keeper.dir}/power.jsonl", "a", encoding="utf-8") as f:
            f.write(json.dumps({"t": round(t0, 6), "end": round(time.monotonic(), 6), "actor": n.k, "action": action,
                                "plug": plug, "fault": fault["kind"] if fault else None, "answer": answer}) + "\n")

    @staticmethod
    def wait_for_hangup(conn):
        conn.settimeout(None)
        try:
            while conn.recv(64):
                pass
        except OSError:
            pass

    def plugged(self, plug):
        return next((x for x in self.keeper.nodes.values() if x.name == plug), None)

    def take_fault(self, actor, victim, action):
        with self.lock:
            for f in self.faults:
                if (f.get("actor") in (None, actor) and f.get("victim") in (None, victim)
                        and f.get("action") in (None, action)):
                    if f.get("times") is not None:
                        f["times"] -= 1
                        if f["times"] <= 0:
                            self.faults.remove(f)
                    return f
        return None

    # -- the work ------------------------------------------------------------------------------
    def perform(self, n, action, plug, victim, fault):
        kind = fault["kind"] if fault else None
        if kind == "fail":
            return "error the switch was told to fail"
        if kind == "hang":
            return None
        if kind == "babble":
            return "?!\x07 power is a social construct"
        if kind == "late":
            time.sleep(fault.get("seconds", 1))
        if action in ("list", "monitor"):
            rows = [f"{x.name} {x.power}" for x in self.keeper.nodes.values()]
            return "\n".join(["ok", *(rows if action == "list" else [])])
        if victim is None:
            return f"error no such plug: {plug}"
        if action == "status":
            return victim.power
        if action not in ("on", "off", "reboot"):
            return f"error unknown action: {action}"
        if kind == "lie":
            return "ok"

        def act():
            by = f"agent on n{n.k}"
            if action in ("off", "reboot"):
                self.keeper.powercut(victim, by)
            if action in ("on", "reboot"):
                self.keeper.boot(victim, by)
        if kind == "early":
            threading.Timer(fault.get("seconds", 1), act).start()
            return "ok"
        act()
        return "ok"
