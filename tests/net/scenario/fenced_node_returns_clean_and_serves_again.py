# SPDX-License-Identifier: GPL-3.0-or-later
"""A fenced node that boots again is a member without a past: its proof is kept, the service can go back to it.

Method: power cut, takeover, return, relocate back.
"""
from cluster import Cluster


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        first = c.wait_server()
        life = c.lab.node(first.node)["life"]
        c.lab.powercut(first.node)
        _, second, _ = c.handover(first)
        c.wait_ready()
        c.wait_storaged()
        t.equal(c.lab.node(first.node)["life"], life + 1, "lives of the fenced node")
        seen = c.seen(second.node, first.node)
        t.equal((seen["state"], seen["boot_id"]), ("member", c.lab.node(first.node)["boot_id"]), "the node after its return")
        t.check(seen["proof"] and seen["proof"]["kind"] in ("off_verified", "new_boot"), f"its proof: {seen['proof']}")
        c.command(second.node, cmd="service", name="rec", action="relocate", node=f"n{first.node}")
        _, third, gap = c.handover(second, nodes=[first.node])
        t.check(third.boot != first.boot, "the second life has the boot id of the first")
        t.say(f"back on n{first.node} after a pause of {gap:.3f} s")
        c.never_two_writers()
