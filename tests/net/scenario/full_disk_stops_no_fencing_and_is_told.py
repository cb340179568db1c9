# SPDX-License-Identifier: GPL-3.0-or-later
"""A state directory that is full stops no fencing; status says what cannot be kept, until it can, and then it is on the disk.

Method: two of three nodes get a full file system there; the third is fenced; room is made. Last, the whole history is read: also what
is older than a daemon's answer has room for.
"""
import json

from cluster import Cluster
from scene import built, until

STATE = "/var/lib/stockade"
FILL = f"""mount -t tmpfs -o size=64k none {STATE} && mkdir {STATE}/fenced
dd if=/dev/zero of={STATE}/filler bs=4k 2>/dev/null; test -s {STATE}/filler"""


def play(t):
    with Cluster(t, nodes=3, serve=False) as c:
        program = built("tools/stockade")
        c.wait_ready()
        for k in (1, 2):
            t.equal(c.lab.exec(k, "sh", "-c", FILL).rc, 0, f"a full disk on n{k}")
        got = c.lab.exec(1, program, "fence", "n3", "--reason", "a full disk", "--yes", timeout=60)
        t.equal(got.rc, 0, f"fence says {got.out}{got.err}; exit code")
        for k in (1, 2):
            error = until(lambda k=k: c.status(k, "fenced").get("store_error"), f"n{k} to say that it cannot keep the proof", 10)
            t.check("No space" in error and STATE in error, f"n{k}: {error}")
        said = c.lab.exec(1, program, "status")
        t.equal(said.rc, 5, "exit code of status")
        t.check("cannot keep what it knows" in " ".join(said.out.split()), f"status: {said.out}")
        c.wait_ready(seconds=30)
        for k in (1, 2):
            c.lab.exec(k, "rm", f"{STATE}/filler")
            until(lambda k=k: c.status(k, "fenced").get("store_error", "?") is None, f"n{k} to have kept it", 20)
            kept = c.lab.exec(k, "test", "-s", f"{STATE}/fenced/proofs").rc
            t.equal(kept, 0, f"the proofs of n{k} are there")

        old = json.dumps({"mono_ms": 1, "wall": "2001-01-01T00:00:00.000Z", "node": "n3", "boot": "0" * 8, "daemon": "fenced", "event": "view",
                          "text": "long ago " + "x" * 200})
        c.lab.exec(3, "sh", "-c", f"cd {STATE}; cp history-fenced.jsonl new; for i in $(seq 1000); do echo '{old}'; done | cat - new "
                                  f"> history-fenced.jsonl.1; rm new")
        until(lambda: c.status(3, "fenced").get("informed"), "n3 to be informed", 20)
        entries = json.loads(c.lab.exec(3, program, "history", "--json", "-n", "5000").out)["entries"]
        t.check(len([e for e in entries if e["event"] == "view" and "long ago" in e["text"]]) == 1000,
                f"{len(entries)} entries are read, not all that are there")
