# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence asks every node about every device, names who cannot reach which, and fences nobody.

Method: three nodes with a power switch that one of them does not reach; the command on another one; then without one of the
nodes, and without its fenced. What was asked of the switch is read there.
"""
import json
import os

from cluster import DOCTOR, Cluster
from scene import built, until


def doctor(c, k, *words):
    r = c.lab.exec(k, "env", f"STOCKADE_LIBEXECDIR={os.path.dirname(built(DOCTOR))}", built("tools/stockade"), "doctor", "fence",
                   *words, timeout=60)
    return r.rc, (json.loads(r.out) if "--json" in words and r.out else r.out), r.err


def ways(said):
    return {(n["node"], k["node"]): k["result"] for n in said["nodes"] for k in n["checks"]}


def play(t):
    with Cluster(t, nodes=3, serve=False) as c:
        c.wait_ready()
        rc, said, err = doctor(c, 1, "--json")
        t.equal(rc, 0, f"exit code when all is well: {said} {err}")
        t.equal(c.offs(), [], "nobody was to be switched off")
        t.equal(ways(said), {(f"n{a}", f"n{b}"): "pass" for a in (1, 2, 3) for b in (1, 2, 3) if a != b}, "ways")

        c.lab.reach(2, "silent")
        rc, text, err = doctor(c, 1)
        t.say(text.replace("\n", " | "))
        t.equal(rc, 1, f"exit code when n2 reaches no switch: {text} {err}")
        t.check("n2 cannot fence n1, n3 by switch" in text and "4 ways work, 2 broken" in text, f"who cannot: {text}")
        t.check("of 2 ways looked at" in err, f"progress while it works: {err}")
        c.lab.reach(2, "yes")

        # from one node alone, as before the first start: this node knows itself by its host name
        c.lab.stop(3, "fenced")
        rc, text, err = doctor(c, 3)
        t.equal(rc, 3, f"without fenced: {text} {err}")
        t.check("--local" in err, f"what to do without fenced: {err}")
        c.lab.exec(3, "hostname", "n3")
        rc, said, err = doctor(c, 3, "--local", "--json")
        t.equal((rc, ways(said)), (0, {("n3", "n1"): "pass", ("n3", "n2"): "pass"}), f"--local: {err}")

        r = c.lab.exec(3, "env", f"STOCKADE_LIBEXECDIR={os.path.dirname(built(DOCTOR))}", built("tools/stockade"), "check", timeout=60)
        t.check("from here every fence device answers (2 ways)" in r.out, f"stockade check: {r}")

        # who is not there was not asked, and unknown is not ok
        until(lambda: len(c.status(1, "fenced")["view"]["members"]) == 2, "n3's fenced gone", 20)
        rc, said, err = doctor(c, 1, "--json")
        t.check(rc != 0 and not said["ok"] and said["unknown"] >= 1, f"a node that was not asked: {rc} {said}")
        t.equal([n["state"] for n in said["nodes"] if n["node"] == "n3"], ["absent"], "n3")
