#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of tools/demo: a cluster in a laboratory, a kernel crash, and what happens then, line by line."""
import os
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cluster  # noqa: E402
import lab as L  # noqa: E402
import labchannel  # noqa: E402
import scene  # noqa: E402
import timeline  # noqa: E402

NAME = "demo"
PAGE = f"http://{cluster.VIP}/"
TTY = sys.stdout.isatty()
BOLD, DIM, RED, GREEN, PLAIN = ("\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[0m") if TTY else ("",) * 5


def head(text):
    print(f"\n{BOLD}{text}{PLAIN}", flush=True)


def say(text):
    print(f"  {text}", flush=True)


class Story:
    """Prints rows of a timeline as they come, seconds since the crash, in order: each waits a moment for late ones."""

    WAIT_S = 0.4

    def __init__(self):
        self.start, self.rows, self.lock, self.ended = None, [], threading.Lock(), False
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def row(self, row):
        with self.lock:
            self.rows.append((row.at, time.monotonic(), row))

    def loop(self):
        while not self.ended or self.rows:
            time.sleep(0.05)
            with self.lock:
                self.rows.sort(key=lambda r: r[0])
                while self.rows and (self.ended or time.monotonic() - self.rows[0][1] > self.WAIT_S):
                    self.tell(self.rows.pop(0)[2])

    def tell(self, row):
        if self.start is None or row.at < self.start - 0.05:
            return
        colour = RED if row.source == "libvirt" or row.event in ("fence.victim", "fence.run", "service.lost") else \
            GREEN if row.event in ("fence.proof", "service.running") else ""
        what = "" if row.source == "libvirt" else row.event
        print(f"  {row.at - self.start:7.2f} s  {row.source:8s} {colour}{what:17s}{PLAIN} {row.text}", flush=True)

    def end(self):
        self.ended = True
        self.thread.join()


def crash(lab, victim=None):
    """Crash the serving node (or @victim) and show the takeover; True when the service came back on another node."""
    with lab.http(PAGE, interval=0.05) as probe, lab.appender() as writer:
        L.wait_until(lambda: writer.acked, 180, f"the service answers at {PAGE}")
        victim = victim or writer.acked[-1][2]
        others = [n.name for n in lab.nodes.values() if n.name != victim]
        say(f"{PAGE} is served by {victim}; a client asks every 50 ms, another appends records with fsync")
        story = Story()
        line = timeline.Timeline(lab, story.row)
        time.sleep(1.5)
        head(f"{victim}: echo c > /proc/sysrq-trigger")
        story.start = time.monotonic()
        at = lab.node(victim).crash()
        try:
            ack = L.wait_until(lambda: next((a for a in writer.acked if a[2] in others), None), 180,
                               f"the service comes back on {' or '.join(others)}", 0.02)
            # until its kernel stood still it may have answered
            good = probe.wait_ok(60, since=lab.wait_event(victim, "Crashed", since=at)["mono"])
        except TimeoutError as e:
            say(f"{RED}{e}{PLAIN}")
            line.stop()
            story.end()
            return False
        time.sleep(1.5)  # the last lines of the histories
        rows = line.stop()
        story.end()
    served = min(good.end, ack[1])
    head("What it took")
    total = served - at
    for what, seconds in timeline.shares(rows, victim, at, served):
        say(f"{seconds:7.2f} s  {what}")
    say(f"{total:7.2f} s  from the crash to the first page from {ack[2]}")
    say(f"{probe.downtime():7.2f} s  without service, as the client saw it")
    say(f"of the other client's records {len(writer.acked)} were acknowledged, the first by {ack[2]} {ack[1] - at:.2f} s after the crash; "
        f"{len(writer.refused)} were refused in between")
    return True


def kept():
    try:
        return L.Lab.attach(NAME)
    except L.LabError:
        return None


def need_kept():
    lab = kept()
    if not lab:
        raise L.LabError("no demo is running; start one that stays: tools/demo --keep")
    return lab


def demo(keep):
    if kept():
        raise L.LabError("a demo is running (--keep): tools/demo crash, tools/demo ssh node1, or tools/demo down first")
    L.reap(say=say)
    head("A laboratory of real kernels, on this machine and without a way out of it")
    lab = L.Lab(NAME, owned=not keep, log=say)
    t = scene.Scene(NAME, say)
    t.labs.append(lab)
    good = False
    try:
        lab.up()
        head("Two nodes become a cluster")
        cluster.Cluster(t, clients=False, lab=lab).wire.stop()
        head("The page")
        good = crash(lab)
        if keep:
            head("Look around: the laboratory stays")
            for row in ("tools/demo ssh node2              a shell in a node; try: stockade status, stockade history",
                        "tools/demo crash                  crash the serving node again",
                        "tools/demo host                   a shell beside the nodes; try: curl " + PAGE,
                        "tools/demo down                   end it"):
                say(row)
        return 0 if good else 1
    finally:
        if not keep:
            t.close()


USAGE = """Usage: tools/demo [--keep]            the whole demo; --keep leaves the laboratory running
       tools/demo ssh NODE [COMMAND]  a shell (or a command) in a node of a kept demo
       tools/demo crash [NODE]        crash the serving node (or NODE) of a kept demo
       tools/demo status              `stockade status` of a kept demo
       tools/demo host [COMMAND]      a shell (or a command) beside its nodes
       tools/demo down                end a kept demo"""


def main(args):
    what, rest = (args[0], args[1:]) if args and not args[0].startswith("-") else ("", args)
    if what == "ssh" and rest:
        node = need_kept().node(rest[0])
        if rest[1:] and not TTY:
            res = node.sh(" ".join(rest[1:]), check=False, timeout=3600, on_out=lambda data: os.write(1, data))
            sys.stderr.write(res.err)
            return res.code
        return labchannel.interactive(node.channel, ["/bin/sh", "-c", " ".join(rest[1:])] if rest[1:] else ["/bin/bash", "-l"])
    if what == "crash" and len(rest) <= 1:
        return 0 if crash(need_kept(), rest[0] if rest else None) else 1
    if what == "status" and not rest:
        for node in need_kept().nodes.values():
            try:
                print(node.run("stockade", "status", check=False).out, end="")
                return 0
            except (L.NodeSilent, L.NodeLost):
                continue
        return 1
    if what == "host":
        lab = need_kept()
        os.execvp("nsenter", lab.host_argv(*(rest or ["/bin/bash"])))
    if what == "down" and not rest:
        need_kept().down()
        return 0
    if what == "" and set(rest) <= {"--keep"}:
        return demo("--keep" in rest)
    print(USAGE, file=sys.stdout if "--help" in args or "-h" in args else sys.stderr)
    return 0 if "--help" in args or "-h" in args else 2


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (L.LabError, L.NodeSilent, L.NodeLost, scene.Refuted, scene.Skip, TimeoutError, RuntimeError, KeyError, ValueError) as e:
        print(f"demo: {e}", file=sys.stderr)
        sys.exit(1)
