# SPDX-License-Identifier: GPL-3.0-or-later
"""When the node that runs the agent dies meanwhile, another one takes the fencing over, of both.

Method: five nodes; the power switch hangs for the first actor, whose power is cut during its call.
"""
from cluster import Cluster
from scene import until


def play(t):
    with Cluster(t, nodes=5) as c:
        c.wait_ready()
        first = c.wait_server()
        c.lab.fault("hang", action="off", times=1)
        c.lab.powercut(first.node)
        actor = until(c.offs, "a call to switch off", 15)[0]["actor"]
        c.lab.powercut(actor)
        rest = [k for k in c.nodes if k not in (first.node, actor)]
        before, after, gap = c.handover(first, nodes=rest, seconds=30)
        later = [x for x in c.lab.calls(action="off") if x["fault"] is None and x["answer"] == "ok"]
        t.check(any(x["plug"] == f"n{first.node}" and x["end"] < after.first for x in later),
                f"served without a switch-off of n{first.node}: {later}")
        until(lambda: any(x["plug"] == f"n{actor}" for x in c.lab.calls(action="off", answer="ok")),
              f"switch-off of the dead actor n{actor}", 20)
        t.say(f"n{actor} died while it fenced n{first.node}; n{later[0]['actor']} finished, served after {gap:.2f} s")
        c.never_two_writers()
