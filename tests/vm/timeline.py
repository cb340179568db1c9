# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, on one clock: histories of the daemons of all nodes, libvirt's events, live.

The daemons stamp their history with their kernel's CLOCK_MONOTONIC. The command channel measures how far that is from
the host's (to about a millisecond), so that lines of several nodes and of the hypervisor can be told in order. A node
that boots again has a new clock: it is measured again, and told apart by its boot id.
"""
import json
import threading
import time

import labchannel
from labchannel import NodeLost, NodeSilent

FOLLOW = "boot=$(cat /proc/sys/kernel/random/boot_id); echo \"$boot\"; exec tail -q -n +1 -F /var/lib/stockade/history-fenced.jsonl " \
         "/var/lib/stockade/history-dlmd.jsonl /var/lib/stockade/history-storaged.jsonl 2>/dev/null"


class Row:
    """One fact. at: host's monotonic seconds; source: node or 'libvirt'; data: the history entry, {} for libvirt."""

    def __init__(self, at, source, event, text, data):
        self.at, self.source, self.event, self.text, self.data = at, source, event, text, data

    def __repr__(self):
        return f"{self.at:.3f} {self.source} {self.event}: {self.text}"


class Timeline:
    """Collects rows from its start to stop(); @on_row(row) is called for each, from several threads."""

    def __init__(self, lab, on_row=None):
        self.lab, self.on_row, self.rows = lab, on_row, []
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.seen_events = len(lab.events())
        self.since = time.monotonic()
        self.threads = [threading.Thread(target=self._node, args=(n,), daemon=True) for n in lab.nodes.values()]
        self.threads.append(threading.Thread(target=self._libvirt, daemon=True))
        for t in self.threads:
            t.start()

    def add(self, row):
        with self.lock:
            self.rows.append(row)
            if self.on_row:
                self.on_row(row)

    def _libvirt(self):
        while not self.ended.wait(0.05):
            events = self.lab.events()
            for ev in events[self.seen_events:]:
                if "lifecycle" in ev["text"]:
                    node = ev["text"].split("'")[3]
                    what = ev["text"].rpartition(": ")[2].strip()
                    self.add(Row(ev["mono"], "libvirt", what, f"{node}: {what}", {"node": node}))
            self.seen_events = len(events)

    def _node(self, node):
        """Follow one node's histories, over its deaths and boots."""
        done = set()
        while not self.ended.is_set():
            try:
                _, _, offset = labchannel.clock(node.channel, timeout=2.0)
                self._follow(node, offset / 1e9, done)
            except (NodeSilent, NodeLost, OSError):
                self.ended.wait(0.3)

    def _follow(self, node, offset, done):
        buf = bytearray()
        boot = []

        def take(data):
            if self.ended.is_set():
                raise NodeLost("the timeline ends")
            buf.extend(data)
            while b"\n" in buf:
                line, _, rest = bytes(buf).partition(b"\n")
                buf[:] = rest
                if not boot:
                    boot.append(line.decode().strip())
                    continue
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                key = (entry.get("boot"), entry.get("daemon"), entry.get("mono_ms"), entry.get("event"), entry.get("text"))
                at = entry["mono_ms"] / 1000 - offset
                # The file keeps earlier lives of the node, whose clocks nobody can measure any more.
                if key in done or entry.get("boot") != boot[0] or at < self.since - 0.5:
                    continue
                done.add(key)
                self.add(Row(at, node.name, entry["event"], entry["text"], entry))

        # A node that dies meanwhile shows itself by silence only, so it is asked anew every 10 s.
        try:
            labchannel.run(node.channel, ["/bin/sh", "-c", FOLLOW], timeout=10.0, on_out=take)
        except NodeLost:
            pass

    def stop(self):
        """No more rows; those that there are, in order of time."""
        self.ended.set()
        for t in self.threads:
            t.join(5)
        with self.lock:
            return sorted(self.rows, key=lambda r: r.at)

    def wait(self, test, timeout):
        """The first row for which test(row); None when there is none in time."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self.lock:
                for row in self.rows:
                    if test(row):
                        return row
            time.sleep(0.05)
        return None


def covered(spans, start, end):
    """Seconds of [start, end] that the spans cover, overlaps counted once."""
    total, at = 0.0, start
    for a, b in sorted(spans):
        a, b = max(a, at), min(b, end)
        if b > a:
            total += b - a
            at = b
    return total


AFTER_ADDRESS = "of it, from address to first page"


FIRST_ANSWER = "unit's first answer, by itself"


def others_spans(rows, victim, start, end, first_answer=0.0):
    """[(what, from, to)] of the time that others took between @start and @end; see shares()."""
    spans = []
    after = [r for r in rows if r.at >= start]
    seen = next((r for r in after if victim and r.source != victim and
                 (victim in r.data.get("left", []) or r.event in ("view.lost", "fence.victim") and
                  r.data.get("victim") == victim)), None)
    if seen:
        spans.append(("detection (corosync)", start, seen.at))
    proof = next((r for r in after if r.event == "fence.proof" and r.data.get("victim") == victim), None)
    for r in after:
        if proof and r.at <= proof.at and r.event == "fence.step" and r.data.get("victim") == victim:
            spans.append((f"fence agent ({r.data['step']})", r.at - r.data.get("took_ms", 0) / 1000, r.at))
    for r in after:
        extern = r.data.get("extern_ms") or 0
        if extern and r.at <= end + 0.5:
            op = "" if r.data.get("op", "start") == "start" else f"{r.data['op']}: "
            spans.append((f"{op}{r.event} (the work itself)", r.at - extern / 1000, r.at))
        if r.event == "unit.start" and first_answer and r.at < end:
            spans.append((FIRST_ANSWER, r.at, r.at + first_answer))
    return [(what, max(a, start), min(b, end)) for what, a, b in spans if b > start and a < end]


def shares(rows, victim, start, end, first_answer=0.0):
    """[(what, seconds)] of a takeover from @start (the crash) to @end (served again).

    Others' work: detection by corosync (until the first of our daemons has the view without the victim), the fence
    agent's own runs before the proof, and what lvm, fsck, mount and the unit's start took by themselves ("extern_ms" of
    the steps). The start of a unit is over for systemd before it is over for a client: Apache's job is done when its parent
    has forked, and its processes then start their threads. @first_answer seconds
    after its end (tests/bench/takeover measures them on an address that is not ours) are the unit's too. Ours is the rest,
    whoever spends it; of it, what passes from the address to the first page has a row of its own.
    """
    spans = others_spans(rows, victim, start, end, first_answer)
    found = [(what, b - a) for what, a, b in spans]
    found.append((OURS, (end - start) - covered([(a, b) for _, a, b in spans], start, end)))
    address = next((r for r in rows if r.event == "ip.add" and start <= r.at < end), None)
    if address:
        found.append((AFTER_ADDRESS, (end - address.at) - covered([(a, b) for _, a, b in spans], address.at, end)))
    return found


def ours(rows, victim, start, end, first_answer=0.0):
    """[(seconds, text)]: where our own share went, largest first: the times between facts that no other covers."""
    spans = [(a, b) for _, a, b in others_spans(rows, victim, start, end, first_answer)]
    facts = [(start, "the beginning")] + [(r.at, f"{r.source} {r.event}") for r in sorted(rows, key=lambda r: r.at)
                                          if start <= r.at <= end and r.source != "libvirt"] + [(end, "served")]
    found = []
    for (a, before), (b, after) in zip(facts, facts[1:]):
        left = (b - a) - covered(spans, a, b)
        if left > 0.005:
            found.append((left, f"{before} -> {after}"))
    return sorted(found, reverse=True)


def first_answer(rows, own, start, end):
    """Seconds from the end of the unit's last start before @end to the first good answer on the node's own address."""
    up = [r.at for r in rows if r.event == "unit.start" and start < r.at < end]
    good = min((a.end for a in list(own.attempts) if a.ok and up and a.end > up[-1]), default=None)
    return good - up[-1] if good else 0.0


def show(rows, start, end):
    """What happened, line by line, from half a second before @start on."""
    for r in rows:
        if start - 0.5 <= r.at <= end + 0.2:
            times = " ".join(f"{k}={r.data[k]}" for k in ("op", "took_ms", "extern_ms") if k in r.data)
            print(f"  {r.at - start:8.3f} {r.source:8s}{r.event:20s} {r.text[:70]} {times}")
    print(f"  {end - start:8.3f} served", flush=True)


OURS = "Stockade's own share"
assert abs(covered([(0, 1), (0.5, 2), (3, 4)], 0, 3.5) - 2.5) < 1e-9
