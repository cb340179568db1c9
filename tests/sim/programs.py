# SPDX-License-Identifier: GPL-3.0-or-later
"""programs - of which objects a simulator or a unit test is made, so that one core file can be replaced in it: by a mutant
(tests/mutants/run), or by one that counts its lines (tests/sim/coverage)."""
import os
import re
import resource
import signal
import subprocess

SRC = os.environ.get("STOCKADE_SRC") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("STOCKADE_BUILD") or os.path.join(SRC, "build")
ROOMS = "sim", "tests", "fenced", "dlm", "storaged", "fence_agents/virtd"  # whose local.mk may say of what a program is made


class Wrong(Exception):
    """It cannot be done or judged; the sentence says why."""


def run(args, seconds):
    """(exit code, output) of a program; 124 when it took too long: processor time, as the machine may be busy."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (max(1, int(seconds)), max(1, int(seconds)) + 1))

    try:
        got = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", timeout=6 * seconds, check=False, preexec_fn=limit,
                             env={**os.environ, "top_srcdir": SRC})
        return 124 if got.returncode in (-signal.SIGXCPU, -signal.SIGKILL) else got.returncode, got.stdout.strip()
    except subprocess.TimeoutExpired as late:
        out = late.stdout or b""
        return 124, (out.decode(errors="replace") if isinstance(out, bytes) else out).strip()


_parts = {}


def parts_of(program):
    """Objects and libraries of a program, by the fragment that builds it."""
    if program in _parts:
        return _parts[program]
    for room in ROOMS:
        with open(os.path.join(SRC, room, "local.mk"), encoding="utf-8") as f:
            text = f.read().replace("\\\n", " ").replace("%reldir%", room).replace("%C%", room.replace("/", "_"))
        target = re.escape(program.replace("/", "_"))
        own = re.search(rf"^{target}_SOURCES\s*=(.*)$", text, re.M)
        links = re.search(rf"^{target}_LDADD\s*=(.*)$", text, re.M)
        if own and links:
            break
    else:
        raise Wrong(f"no local.mk builds {program}")
    files = [os.path.join(BUILD, w[:-2] + ".o") for w in own.group(1).split() if w.endswith(".c")]
    for word in links.group(1).split():
        if word.endswith(".la"):
            files.append(os.path.join(BUILD, os.path.dirname(word), ".libs", os.path.basename(word)[:-3] + ".a"))
        elif "CMOCKA" in word:
            files.append("-lcmocka")
    if any("virt" in f for f in files):
        files += ["-lnettle", "-lcrypto", "-lqb"]      # what seals stand on
    flags = re.search(rf"^{target}_LDFLAGS\s*=(.*)$", text, re.M)
    files += [w for w in (flags.group(1).split() if flags else []) if w.startswith("-")]
    missing = [f for f in files if f.startswith("/") and not os.path.exists(f)]
    if missing:
        raise Wrong(f"{missing[0]} is not built")
    _parts[program] = files
    return files


def range_of(program, first, last):
    """Arguments that play the seeds first..last."""
    if program == "sim/sim":
        return ["--seeds", f"{first}..{last}"]
    raise Wrong(f"{program} plays no seeds")


def make_units(programs, jobs):
    """Unit tests are not part of "make all"."""
    units = [p for p in programs if p.startswith("tests/")]
    if units:
        code, out = run(["make", "-C", BUILD, "-j" + str(jobs), *units], 300)
        if code != 0:
            raise Wrong(f"{' '.join(units)}: {out[-200:]}".replace("\n", " "))
