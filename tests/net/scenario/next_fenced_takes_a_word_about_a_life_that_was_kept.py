# SPDX-License-Identifier: GPL-3.0-or-later
"""Of two nodes one dies, and fenced of the other, too: the next one takes a hypervisor's word about a life that it has never seen.

Goal: what a fenced knew of its peer's life outlives it on the disk, so that a statement that comes later is the proof, and not one
that is dropped until the peer was unseen for long (SAFE-11). Method: a power cut; the fence agent would hang for most of a minute, fenced is killed before that; then
stockade-virtd says it. An agent's own proof would be of another kind.
"""
import os
import signal
import time

from cluster import Cluster
from hypervisor import Hypervisor, all_ready, bound, guest, start
from scene import built, until


def play(t):
    with Cluster(t, nodes=2, detect="2s", boot=[], timeout=50, fence_timeout="60s",
                 fence={k: f"[{{switch: n{k}}}, {{hv: n{k}}}]" for k in (1, 2)},
                 devices=[f"hv: {{agent: {built('fence_agents/xvm/fence_xvm')}, attest: yes}}"]) as c:
        hv = Hypervisor(c.lab, 2)
        try:
            start(c)
            since = time.monotonic()
            hv.start("yes")
            all_ready(c)
            until(lambda: bound(c, c.nodes, since), "the nodes to be known to their hypervisor", 30, 0.1)
            first = c.wait_server(seconds=60)
            victim, rest = first.node, 3 - first.node
            c.lab.fault("hang", action="off")
            c.lab.powercut(victim)
            until(lambda: c.seen(rest, victim).get("state") == "victim", f"n{victim} to be a victim", 30)
            starts = c.lab.init(rest, "status")["fenced"]["starts"]
            for pid in c.lab.pids(rest, "stockade-fenced") + c.lab.pids(rest, "lt-stockade-fen"):
                os.kill(pid, signal.SIGKILL)
            until(lambda: c.lab.init(rest, "status")["fenced"]["starts"] > starts, "fenced to be started again", 30)
            since = time.monotonic()
            until(lambda: c.status(rest, "fenced").get("informed"), "the new fenced to be informed", 30)
            t.equal(c.seen(rest, victim)["state"], "unknown", f"n{victim} as the new fenced sees it")
            until(lambda: bound(c, [rest], since), "the new fenced to be known to the hypervisor", 30, 0.1)
            guest(c, rest, victim, "off")
            proof = until(lambda: c.seen(rest, victim).get("proof"), "a proof", 60)
            t.equal(proof["kind"], "hypervisor", f"kind of the proof: {proof}")
            c.handover(first, nodes=[rest], seconds=40)
            c.never_two_writers()
        finally:
            hv.stop()
