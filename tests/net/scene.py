#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""scene - what a scenario stands on: verdicts, checks, measured times.

A scenario is a file scenario/NAME.py; NAME is a claim, the first line of its docstring says goal and method,
and play(t) tries to refute it. t is a Scene. It asserts from outside: the machine room's events, the power
switch's calls, the disk, /proc; never from our own logs alone.

usage: scene.py NAME LOGDIR     plays one (tests/net/run does that); last line "= VERDICT<tab>REASON"
"""
import ast
import glob
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
if __name__ == "__main__":               # scenarios import this very module, not a second copy of it
    sys.modules["scene"] = sys.modules["__main__"]
import netlab  # noqa: E402

TIME_LIMIT_S = int(os.environ.get("STOCKADE_TIME_LIMIT") or 120)
until = netlab.until


class Refuted(AssertionError):
    """The claim does not hold; the text says what was seen instead."""


class Skip(Exception):
    """It cannot be tried here; the text says why and what would help."""


def build_dir():
    return os.environ.get("STOCKADE_BUILD") or os.path.realpath(f"{HERE}/../../build")


def built(path):
    """A program of the build tree; a scenario that needs one that is not there is skipped."""
    full = f"{build_dir()}/{path}"
    if not os.access(full, os.X_OK):
        raise Skip(f"{path} is not built; make in {build_dir()}")
    return full


def claim(name):
    with open(f"{HERE}/scenario/{name}.py", encoding="utf-8") as f:
        return (ast.get_docstring(ast.parse(f.read())) or "?").splitlines()[0]


class Scene:
    def __init__(self, logs):
        self.logs = logs
        self.labs = 0

    def say(self, text):
        print(text, flush=True)

    def lab(self, **opts):
        self.labs += 1
        return netlab.Lab(keep_logs=self.logs if self.labs == 1 else f"{self.logs}/lab{self.labs}", **opts)

    @staticmethod
    def check(cond, text):
        if not cond:
            raise Refuted(text)

    @staticmethod
    def equal(got, want, what):
        if got != want:
            raise Refuted(f"{what}: {got!r}, not {want!r}")


def replay(logs):
    """Every daemon's record of this scenario, fed to the same core again: a sentence, or Refuted (issue 3)."""
    program, events, programs, began = built("sim/sim"), 0, 0, time.monotonic()
    for record in sorted(glob.glob(f"{logs}/**/var/log/record/*.record", recursive=True)):
        older = sorted(glob.glob(f"{record}.[0-9]"), reverse=True)
        got = subprocess.run([program, "--replay", *older, record], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if got.returncode != 0:
            print(got.stdout)
            raise Refuted(f"a core answers otherwise when {os.path.relpath(record, logs)} is replayed: "
                          + " ".join(got.stdout.split("\n")[:3]))
        events += int(re.search(r"(\d+) events", got.stdout).group(1))
        programs += 1
    return programs and f"{programs} records replayed alike: {events} events, {time.monotonic() - began:.1f} s"


def play(name, logs):
    spec = importlib.util.spec_from_file_location(name, f"{HERE}/scenario/{name}.py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        module.play(Scene(logs))
        told = replay(logs)
        if told:
            print(told)
        return "ok", ""
    except Skip as e:
        return "skip", str(e)
    except Refuted as e:
        traceback.print_exc()
        return "not ok", str(e)
    except netlab.Timeout as e:
        traceback.print_exc()
        return "not ok", str(e)
    except Exception as e:           # whatever it was, it is a verdict to be printed, with where it came from
        traceback.print_exc()
        where = traceback.extract_tb(e.__traceback__)[-1]
        return "not ok", f"{type(e).__name__}: {e} ({os.path.basename(where.filename)}:{where.lineno})"


if __name__ == "__main__":
    # a raised exception unwinds the `with`, so that the lab saves its logs before it goes
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    verdict, reason = play(sys.argv[1], sys.argv[2])
    print(f"= {verdict}\t{' '.join(reason.split())}", flush=True)
