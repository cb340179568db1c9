# SPDX-License-Identifier: GPL-3.0-or-later
"""Quorum comes with the view, never after it, and a message of one view is never heard in another.

Goal: the facts of ref/netlab.md 7 do no harm: minorities, zombies that thaw with a backlog, cuts in one direction.
Method: viewlog on three nodes that send all the time; split and heal, freeze and thaw, cut 3 to 1, stop corosync.
"""
import errno
import os
import re
import signal
import time

from scene import until
from views import Member, heard, settled


def play(t):
    with t.lab(nodes=3) as lab:
        lab.wait_quorate()
        m = {k: Member(lab, k) for k in (1, 2, 3)}
        everyone = list(m.values())
        settled(everyone, (1, 2, 3))
        said = 0

        def talk():
            nonlocal said
            said += 1
            for x in everyone:
                v = x.view
                x.order(f"send {said} {v['ring'] if v else '-'} {''.join(map(str, v['members'])) if v else '-'}")

        def talk_for(seconds, cond=lambda: False):
            end = time.monotonic() + seconds
            while time.monotonic() < end and not cond():
                talk()
                time.sleep(0.02)

        def in_view(x, members, quorate):
            return lambda: x.view and (x.view["members"], x.view["quorate"]) == (members, quorate)

        def no_minority_was_quorate():
            for x in everyone:
                for v in x.of("view"):
                    t.check(len(v["members"]) >= 2 or not v["quorate"] or len(v["nodes"]) >= 2,
                            f"n{x.k} alone and quorate: {v}")

        # a minority
        talk_for(0.5)
        lab.split((1, 2), (3,))
        talk_for(5, in_view(m[3], [3], False))
        settled([m[1], m[2]], (1, 2))
        t.equal((m[3].view["members"], m[3].view["quorate"]), ([3], False), "the minority")
        talk_for(0.3)
        lab.heal()
        talk_for(10, in_view(m[3], [1, 2, 3], True))
        settled(everyone, (1, 2, 3))
        talk_for(0.5)
        t.equal([v["joined"] for v in m[1].of("view")][-1], [3], "joined, to the majority")
        no_minority_was_quorate()

        # a whole node frozen with a backlog
        lab.freeze(3)
        mark = m[3].mark()
        settled([m[1], m[2]], (1, 2))
        for i in range(20):
            m[3].order(f"send zombie {i}")
        marks = [m[1].mark(), m[2].mark()]
        lab.thaw(3)
        settled(everyone, (1, 2, 3))
        told = [(v["members"], v["quorate"], v["joined"], v["nodedown"]) for v in m[3].of("view", mark)]
        t.check(any(1 in d and 2 in d for _, _, _, d in told), f"n3 was not told that it lost the others: {told}")
        for x, since in zip((m[1], m[2]), marks):
            t.equal([h for h in heard(x, since) if "zombie" in h[1]], [], f"words of the dead view, to n{x.k}")
        talk_for(0.5)
        t.say(f"thawed: {told}; its backlog reached nobody else")

        # corosync alone stops, its client sends on
        pid = lab.pids(3, "corosync")[0]
        os.kill(pid, signal.SIGSTOP)
        late = Member(lab, 3, "late")
        talk_for(5, in_view(m[1], [1, 2], True))
        late.order("config")                     # would hang in libcmap
        asked = until(lambda: late.of("config"), "a daemon to answer beside a corosync that hangs", 4)
        t.equal(asked[0]["rc"], -errno.ETIMEDOUT, "what cmap says")
        lost = until(lambda: late.of("lost"), "a newcomer to be told that corosync hangs", 8)
        t.check("hangs" in lost[0]["why"], f"why: {lost[0]}")
        os.kill(pid, signal.SIGCONT)
        settled([late], (3,))
        talk_for(10, in_view(m[3], [1, 2, 3], True))
        settled(everyone, (1, 2, 3))

        # only the client stops: no event at all, then everything in order
        mark = m[3].mark()
        os.kill(m[3].pid(), signal.SIGSTOP)
        for i in range(50):
            m[1].order(f"send queued {i}")
        time.sleep(1.5)
        os.kill(m[3].pid(), signal.SIGCONT)
        until(lambda: len([h for h in heard(m[3], mark) if "queued" in h[1]]) == 50, "what was missed")
        t.equal([h[1] for h in heard(m[3], mark) if "queued" in h[1]], [f"queued {i}" for i in range(50)], "its order")
        t.equal(m[3].of("view", mark), [], "views told to a stopped client")

        # 3 does not reach 1; 2 sees both
        lab.cut1(3, 1)
        talk_for(8, lambda: m[1].view["members"] == [1, 2] and m[3].view["members"] == [3])
        lab.heal()
        talk_for(10, in_view(m[3], [1, 2, 3], True))
        settled(everyone, (1, 2, 3), seconds=20)
        no_minority_was_quorate()
        talk_for(0.5)
        time.sleep(0.5)

        # every message was heard in the view it names, and in the same order by all who heard it there
        n = 0
        order = {}
        for x in everyone:
            ring = members = None
            for e in x.events:
                if e["what"] == "view":
                    ring, members = e["ring"], "".join(map(str, e["members"]))
                elif e["what"] == "message" and re.fullmatch(r"\d+ \S+ \d+", e["text"]):
                    _, in_ring, in_members = e["text"].split()
                    n += 1
                    order.setdefault((ring, members), {}).setdefault(x.k, []).append((e["from"], e["text"]))
                    # The script read the view a moment before viewlog sent: a younger view is fine, an older is not.
                    t.check(int(in_ring.split(".")[1]) <= int(ring.split(".")[1]), f"n{x.k} in {ring}: {e}")
        for where, by in order.items():
            longest = max(by.values(), key=len)
            for k, words in by.items():
                it = iter(longest)
                t.check(all(w in it for w in words), f"n{k} heard another order in view {where}")
        t.check(n > 300, f"only {n} messages were heard in their view")
        t.say(f"{n} messages, {len(order)} views")
        for x in [*everyone, late]:
            x.end()
