# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that fails twice is tried again; the takeover waits for the attempt that succeeds (SAFE-3).

Method: freeze of the server of three nodes, the switch refuses two switch-offs. (A server whose power is cut is off already: our
agents, as ClusterLabs' do, then call a refused switch-off done.)
"""
from cluster import Cluster


def play(t):
    with Cluster(t, nodes=3) as c:
        c.wait_ready()
        first = c.wait_server()
        c.lab.fault("fail", action="off", times=2)
        c.lab.freeze(first.node)
        before, after, gap = c.handover(first)
        calls = c.lab.calls(action="off")
        t.equal([x["fault"] for x in calls[:3]], ["fail", "fail", None], "the switch-offs")
        t.check(after.first > calls[2]["end"], "served before the successful switch-off")
        t.say(f"served after {gap:.2f} s and {len(calls)} switch-offs, by {[x['actor'] for x in calls]}")
        c.never_two_writers()
