# SPDX-License-Identifier: GPL-3.0-or-later
"""No trace of a lab stays: not after its end, nor its owner's SIGKILL, nor (after reap) its keeper's SIGKILL.

Goal: tests may die at any moment on a developer's machine. Method: end labs in each way, look for every kind of
object that carries their name.
"""
import os
import signal
import subprocess
import sys

import netlab
import rooms
from scene import until


def left(pid):
    return pid in rooms.traces()


def by_hand(t):
    """The command that people use: each order comes from a process of its own."""
    name = f"hand{os.getpid()}"

    def lab(*args):
        return subprocess.run([f"{netlab.HERE}/lab", "-n", name, *args], capture_output=True, text=True, timeout=60)
    try:
        up = lab("up", "1")
        t.equal((up.returncode, up.stderr), (0, ""), "lab up")
        pid = int(up.stdout.split()[0].rsplit("-", 1)[1])
        t.check(left(pid), "the lab ended with the command that made it")
        status, said = lab("status"), lab("exec", "1", "cat", "/proc/sys/kernel/random/boot_id")
        t.check(said.stdout.strip() and said.stdout.strip() in status.stdout, f"status: {status.stdout}{status.stderr}; exec: {said.stdout}{said.stderr}")
    finally:
        down = lab("down")
    t.equal((down.returncode, down.stderr), (0, ""), "lab down")
    t.check(not left(pid), "traces after lab down")


def play(t):
    with t.lab(nodes=2) as lab:
        pid = lab.proc.pid
        t.check(left(pid), "a living lab has no traces: this scenario sees nothing")
    t.check(not left(pid), "traces after the end of a lab")

    by_hand(t)

    owner = subprocess.Popen([sys.executable, "-c", "import netlab, time; lab = netlab.Lab(2); lab.freeze(2); "
                              "print(lab.proc.pid, flush=True); time.sleep(60)"],
                             stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": netlab.HERE})
    with owner:
        pid = int(owner.stdout.readline())
        owner.kill()
    until(lambda: not left(pid) and not rooms.is_keeper(pid), "no traces after the owner was killed")

    for sig in (signal.SIGTERM, signal.SIGINT):
        lab = netlab.Lab(2)
        os.kill(lab.proc.pid, sig)
        lab.proc.wait()
        t.check(not left(lab.proc.pid), f"traces after signal {sig}")
        lab.down()

    lab = netlab.Lab(2)
    pid = lab.proc.pid
    lab.proc.kill()
    lab.down()
    t.check(left(pid), "a killed keeper left nothing: reap is not on test")
    rooms.reap()
    t.check(not left(pid), "traces after reap")
