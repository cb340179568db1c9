# SPDX-License-Identifier: GPL-3.0-or-later
"""Death by attestation: the hypervisor tells of a paniced kernel, no agent is run, and the takeover is faster (SAFE-11)."""
from cluster import Cluster, config


def crash(t, c, first, other):
    """(seconds from sysrq-c to the first record of the other, kind of the proof)"""
    at = c.lab.node(first).crash()
    served = c.wait_served(other, since=at)
    proof = c.seen(other, first).get("proof") or {}
    return served[1] - at, proof


def bound(c):
    """Every node has subscribed, and its own life is known to the hypervisor."""
    return all([h["bound"] for h in c.status(n, "fenced").get("attest", [])] == [True] for n in (1, 2))


def warm(c, on):
    """What @on keeps in memory of the unit that may have to start there."""
    found = [r.get("warm") for r in c.service(on).get("resources", []) if r["type"] == "unit"]
    return found[0] if found else None


def play(t):
    c = Cluster(t, conf=config(2, attest=True), fence_virtd="ours")
    t.until(lambda: bound(c), 30, "both nodes subscribed to the hypervisor's daemon, and it knows their lives", 0.3)
    first, other = c.server(), "node2" if c.server() == "node1" else "node1"
    took, proof = crash(t, c, first, other)
    t.equal(proof.get("kind"), "hypervisor", f"kind of the proof that {other} acted on: {proof}")
    t.say(f"          attested: first record by {other} {took:.2f} s after sysrq-c; proof: {proof.get('evidence')}")
    with t.step(f"{first} is switched on again, rejoins, and its new life is known"):
        t.until(lambda: c.seen(other, first).get("state") == "member", 120, f"{first} is a member again", 0.5)
        t.until(lambda: bound(c), 60, "both nodes are subscribed again", 0.5)
    with t.step(f"{first} has the unit's files in memory, {other} where it runs keeps nothing"):
        kept = t.until(lambda: warm(c, first), 120, f"{first} read the unit's files", 0.5)
        t.check(kept["files"] >= 20 and kept["bytes"] > 2**20, f"programs, modules and configuration of Apache: {kept}")
        t.equal(warm(c, other), None, f"kept on {other}")
    c.check_one_writer([first, other])
    # The daemon is stopped: nobody attests anything, and nobody fences either; started again, the agent's way is gone.
    c.lab.control("stop", "fence_virtd")
    first, other = other, first
    at = c.lab.node(first).crash()
    c.lab.wait_event(first, "Crashed", since=at, timeout=30)
    t.until(lambda: c.seen(other, first).get("state") == "victim", 60, f"{first} is a victim", 0.2)
    c.lab.control("start", "fence_virtd")
    served = c.wait_served(other, since=at)
    proof = c.seen(other, first).get("proof") or {}
    t.check(proof.get("kind") in ("off_verified", "hypervisor"), f"a proof after all: {proof}")
    t.say(f"          its daemon was away: first record by {other} {served[1] - at:.2f} s after sysrq-c; {proof.get('kind')}: {proof.get('evidence')}")
    c.check_one_writer(["node1", "node2", "node1"] if other == "node1" else ["node2", "node1", "node2"])
    c.finish()
