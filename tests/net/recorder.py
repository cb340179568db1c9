#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""recorder - the service of the scenarios: notes on the shared disk who wrote when.

usage: recorder.py start|stop|status DIR NAME     (exit codes as LSB: 0, 3 not running, 1 failed)

While it runs it appends a line every few milliseconds to DIR/records: CLOCK_MONOTONIC in ns, node, boot id, a
token of this run, a number. Each line is one write(2) to a file opened for append, so the order of the lines
is the order in which they reached the disk, whatever the clocks say; two writers at the same time, or a
zombie that writes one line after its successor began, cannot hide.
"""
import os
import signal
import sys
import time

PAUSE_S = 0.004


def alive(pidfile):
    try:
        with open(pidfile, encoding="utf-8") as f:
            pid = int(f.read())
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return pid if b"recorder.py" in f.read() else None
    except (OSError, ValueError):
        return None


def record(path, started):
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as f:
        who = f"{os.uname().nodename} {f.read().strip()} {os.urandom(4).hex()}"
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    number = 0
    while going:
        number += 1
        os.write(fd, f"{time.monotonic_ns()} {who} {number}\n".encode())
        if number == 1:
            os.write(started, b"+")
        time.sleep(PAUSE_S)
    os._exit(0)


def start(directory, pidfile):
    if alive(pidfile):
        return 0
    if not os.path.isdir(directory):
        print(f"recorder: {directory} is not there", file=sys.stderr)
        return 1
    r, w = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.close(r)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        pid = os.fork()
        if pid:
            with open(pidfile, "w", encoding="utf-8") as f:
                f.write(str(pid))
            os._exit(0)
        try:
            record(f"{directory}/records", w)
        finally:
            os._exit(1)
    os.close(w)
    os.wait()
    return 0 if os.read(r, 1) == b"+" else 1


def stop(pidfile):
    pid = alive(pidfile)
    if pid:
        os.kill(pid, signal.SIGTERM)
        while alive(pidfile):
            time.sleep(0.002)
    return 0


def main():
    do, directory, name = sys.argv[1:4]
    pidfile = f"/run/recorder-{name}.pid"
    if do == "start":
        return start(directory, pidfile)
    if do == "stop":
        return stop(pidfile)
    if do == "status":
        return 0 if alive(pidfile) else 3
    print(__doc__, file=sys.stderr)
    return 2


sys.exit(main())
