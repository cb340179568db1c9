# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever fails, and however much at a time, there is one writer at most; when it ends, the service runs (SAFE-1).

Method: 40 seconds of faults drawn from a seed (STOCKADE_SEED plays one again as far as timing allows): power, freezes,
cuts of one and both directions, lost packets, a switch that fails, lies or is late, killed daemons. Then all is mended.
"""
import os
import random
import signal
import time

from cluster import DAEMONS, Cluster
from netlab import LabError

SECONDS = 40


def play(t):
    seed = int(os.environ.get("STOCKADE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
    draw = random.Random(seed)
    done = []
    nodes = draw.choice((2, 3, 3, 4, 5))
    t.say(f"STOCKADE_SEED={seed}, {nodes} nodes")
    with Cluster(t, nodes=nodes) as c:
        lab = c.lab

        def powercut(k):
            lab.powercut(k)

        def freeze(k):
            lab.freeze(k)
            time.sleep(draw.uniform(0.1, 2.5))
            lab.thaw(k)

        def cut(k):
            other = draw.choice([x for x in c.nodes if x != k])
            draw.choice((lab.cut, lab.cut1))(k, other)

        def split(k):
            lab.split((k,), tuple(x for x in c.nodes if x != k))

        def lose(k):
            lab.loss(k, draw.choice((1, 10, 30)))

        def heal(_):
            lab.heal()
            lab.loss(0, 0)

        def switch(k):
            lab.fault(draw.choice(("fail", "lie", "late", "babble", "early")), times=draw.randint(1, 4),
                      seconds=draw.uniform(0.1, 2))

        def reach(k):
            lab.reach(k, draw.choice(("yes", "yes", "refused", "silent")))

        def kill(k):
            comm = draw.choice([*(f"stockade-{d}" for d in DAEMONS), "corosync"])
            for pid in lab.pids(k, comm):
                os.kill(pid, signal.SIGKILL)

        def boot(k):
            lab.boot(k)

        faults = (powercut, freeze, cut, split, lose, switch, reach, kill, heal, heal, boot, boot)
        c.wait_ready()
        c.wait_server()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            fault, k = draw.choice(faults), draw.choice(c.nodes)
            try:
                fault(k)
                done.append(f"{fault.__name__} {k}")
                lab.note(done[-1])
            except LabError:
                pass                 # the node is off: then nothing of the kind can happen to it
            c.never_two_writers()
            time.sleep(draw.expovariate(1 / 0.8))
        lab.heal()
        lab.loss(0, 0)
        lab.faults_clear()
        mended = time.monotonic()
        for k in c.nodes:
            lab.reach(k, "yes")
            if lab.node(k)["frozen"]:
                lab.thaw(k)
            lab.boot(k)
        run = c.wait_server(seconds=45)
        t.say(f"{len(done)} faults, {len(lab.events('off'))} switch-offs; served {time.monotonic() - mended:.1f} s after all was mended")
        c.wait_ready(seconds=40)
        runs = c.never_two_writers()
        t.say(f"{len(runs)} runs of the recorder, the last on n{run.node}")
