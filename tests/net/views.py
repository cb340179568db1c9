# SPDX-License-Identifier: GPL-3.0-or-later
"""views - members of a group, each a tests/net/viewlog in a node: what lib/shell/cluster tells under real corosync."""
import json
import os
import signal
import subprocess
import threading

from scene import Refuted, built, until

GROUP = "views"
EMPTY = {"joined": [], "clean": [], "nodedown": [], "procdown": []}


class Member:
    """One viewlog. Its events are in .events, in order; .views and .messages are parts of them."""

    def __init__(self, lab, k, group=GROUP):
        self.lab, self.k, self.group = lab, k, group
        self.events = []
        self.proc = lab.spawn(k, built("tests/net/viewlog"), group, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.proc.stdout:
            if line.endswith("}\n"):
                self.events.append(json.loads(line))

    def order(self, text):
        self.proc.stdin.write(text + "\n")
        self.proc.stdin.flush()

    def of(self, what, since=0):
        return [e for e in self.events[since:] if e["what"] == what]

    @property
    def view(self):
        """The last view, None while corosync is lost or nothing was told."""
        for e in reversed(self.events):
            if e["what"] == "lost":
                return None
            if e["what"] == "view":
                return e
        return None

    def mark(self):
        return len(self.events)

    def pids(self):
        """Host pids of the viewlogs of this group on the node."""
        found = []
        for pid in self.lab.pids(self.k, "viewlog") if self.lab.node(self.k)["power"] == "on" else []:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                if f.read().split("\0")[1] == self.group:
                    found.append(pid)
        return found

    def pid(self):
        return self.pids()[0]

    def end(self):
        """Ends it: by itself and in order (a build with sanitizers then speaks up) if its node is on."""
        on = self.pids()                         # empty after a kill
        self.proc.send_signal(signal.SIGCONT)    # nsenter stops when its child is stopped
        try:
            self.order("quit")
        except BrokenPipeError:
            pass
        try:
            rc = self.proc.wait(5)
        except subprocess.TimeoutExpired:
            rc = "none within 5 s"
            for pid in on:
                os.kill(pid, signal.SIGKILL)     # what is between us and it does not pass a SIGKILL on
            self.proc.wait()
        try:
            self.proc.stdin.close()
        except BrokenPipeError:
            pass                                 # a word it did not live to read
        self.reader.join()
        self.proc.stdout.close()
        if on and rc != 0:
            raise Refuted(f"viewlog of n{self.k} ended with {rc}")


def settled(members, want, quorate=True, seconds=15):
    """Until every one of these members is in one and the same view of the nodes in want."""
    def same():
        views = [m.view for m in members]
        return all(v and v["members"] == sorted(want) and v["quorate"] == quorate for v in views) and \
            len({v["ring"] for v in views}) == 1
    until(same, f"one view of {want}, quorate {quorate}", seconds)


def changes(member, since):
    """What each view since then said about who came and went, without the empty sets."""
    return [{k: v[k] for k in EMPTY if v[k]} for v in member.of("view", since)]


def heard(member, since):
    return [(e["from"], e["text"]) for e in member.of("message", since)]
