# SPDX-License-Identifier: GPL-3.0-or-later
"""In two nodes a cut leaves both sides quorate, and the view says two_node, so that the core can know better (SAFE-4).

Method: viewlog on two nodes; cut and heal, then a power cut and a lone boot, which is not quorate (wait_for_all).
"""
from views import Member, settled


def play(t):
    with t.lab(nodes=2) as lab:
        lab.wait_quorate()
        m = [Member(lab, k) for k in (1, 2)]
        settled(m, (1, 2))
        lab.split((1,), (2,))
        for x in m:
            settled([x], (x.k,))                 # quorate, alone, both of them
            t.equal((x.view["two_node"], x.view["nodedown"]), (True, [3 - x.k]), f"what n{x.k} is told of the cut")
        lab.heal()
        settled(m, (1, 2))
        t.equal([x.view["joined"] for x in m], [[2], [1]], "who joined by the heal")
        lab.powercut(1)
        settled([m[1]], (2,))
        lab.powercut(2)
        for x in m:
            x.end()
        lab.boot(1)
        alone = Member(lab, 1)
        settled([alone], (1,), quorate=False)
        lab.boot(2)
        settled([alone], (1,), quorate=True)
        t.equal(alone.view["nodes"], [1, 2], "nodes when quorum came")
        alone.end()
