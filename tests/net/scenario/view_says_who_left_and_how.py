# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to leave is told as what it was, by one view at every survivor: goodbye, process, corosync, node.

Goal: a crash is never taken for a goodbye (SAFE-1), and nobody is missed who leaves and comes back at once.
Method: viewlog on three nodes; leave, kill the process, stop corosync, kill and restart it, cut the power.
"""
import os
import signal
import time

from netlab import COROSYNC
from scene import until
from views import Member, changes, settled


def play(t):
    with t.lab(nodes=3, services=[{**COROSYNC, "restart_ms": 20}]) as lab:
        lab.wait_quorate()
        m = {k: Member(lab, k) for k in (1, 2, 3)}
        rest = [m[1], m[3]]
        settled(m.values(), (1, 2, 3))
        t.equal(m[1].view["nodes"], [1, 2, 3], "nodes of the first view")
        t.equal(m[1].view["two_node"], False, "two_node of three nodes")
        m[1].order("config")
        conf = until(lambda: m[1].of("config"), "the configuration")[0]
        t.equal((conf["rc"], conf["token"], conf["names"]), (0, lab.token, {"1": "n1", "2": "n2", "3": "n3"}),
                "what cmap says")

        def lose(how, do, want):
            """After do(), every survivor is told exactly this about n2, once."""
            marks = [x.mark() for x in rest]
            t0 = time.monotonic()
            do()
            for x, mark in zip(rest, marks):
                until(lambda x=x, mark=mark: any(set(c) - {"joined"} for c in changes(x, mark)), f"n{x.k} to be told", 10)
            t.say(f"{how}: {want}, told after {(time.monotonic() - t0) * 1000:.0f} ms")
            return marks

        def only(marks, how, want):
            for x, mark in zip(rest, marks):
                gone = [{k: v for k, v in c.items() if k != "joined"} for c in changes(x, mark)]
                t.equal([g for g in gone if g], [{want: [2]}], f"who left, to n{x.k}, by {how}")

        def again():
            m[2].end()
            m[2] = Member(lab, 2)
            settled(m.values(), (1, 2, 3))
            t.equal(m[1].of("view")[-1]["joined"], [2], "who came back")

        how = "a goodbye"
        marks = lose(how, lambda: m[2].order("leave"), "clean")
        again()
        only(marks, how, "clean")

        how = "the end of the process"
        marks = lose(how, lambda: os.kill(m[2].pid(), signal.SIGKILL), "procdown")
        again()
        only(marks, how, "procdown")

        how = "an orderly stop of corosync"
        mark = m[2].mark()
        marks = lose(how, lambda: lab.stop(2, "corosync"), "procdown")
        until(lambda: m[2].of("lost", mark), "n2 to be told that corosync is gone")
        settled(rest, (1, 3))
        t.equal(m[1].view["nodes"], [1, 3], "nodes after the stop")
        lab.start(2, "corosync")
        settled(m.values(), (1, 2, 3))           # the same viewlog, by itself
        t.equal(m[2].of("view", mark)[-1]["quorate"], True, "quorum after the return")
        only(marks, how, "procdown")

        how = "a kill of corosync, restarted at once"
        mark = m[2].mark()
        marks = lose(how, lambda: os.kill(lab.pids(2, "corosync")[0], signal.SIGKILL), "nodedown")
        until(lambda: m[2].of("lost", mark), "n2 to be told that corosync is gone")
        settled(m.values(), (1, 2, 3))
        t.equal(len(m[2].of("lost", mark)), 1, "times that a loss is told")
        first = m[2].of("view", mark)[0]
        t.equal(first["joined"], first["members"], "joined, in the first view after a loss")
        only(marks, how, "nodedown")

        how = "a power cut"
        marks = lose(how, lambda: lab.powercut(2), "nodedown")
        settled(rest, (1, 3))
        t.equal(m[1].view["nodes"], [1, 3], "nodes after the power cut")
        only(marks, how, "nodedown")
        for x in m.values():
            x.end()
