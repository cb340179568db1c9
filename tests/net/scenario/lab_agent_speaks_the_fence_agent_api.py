# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_dummy acts and answers as the ClusterLabs API says, and unknown is a failure, never off (SAFE-3).

Goal: daemons that trust it are told the truth or an error. Method: every action and every fault of the power
switch from inside a node, compared with the machine room.
"""
import time

import scene


def play(t):
    agent = scene.built("fence_agents/dummy/fence_dummy")
    with t.lab(nodes=2, services=[]) as lab:
        def ask(action, plug="n2", actor=1, **more):
            text = "".join(f"{k}={v}\n" for k, v in {"action": action, "plug": plug, "nodename": plug,
                                                     "unheard_of": "x", **more}.items() if v is not None)
            return lab.exec(actor, agent, stdin="# a comment\n\n" + text)

        t.equal(ask("status").rc, 0, "status of a node that is on")
        t.equal(ask("monitor", plug=None).rc, 0, "monitor")
        t.equal(ask("list", plug=None).out, "n1,\nn2,\n", "list")
        t.equal(ask("validate-all").rc, 0, "validate-all")
        meta = ask("metadata", plug=None)
        t.check(meta.rc == 0 and '<resource-agent name="fence_dummy"' in meta.out, f"metadata: {meta}")
        t.equal(ask("explode").rc, 1, "an unknown action")
        t.equal(ask("off", plug=None).rc, 1, "off without a plug")
        t.equal(ask("off", plug="n7").rc, 1, "off of an unknown plug")
        t.equal(ask("status", plug="n7").rc, 1, "status of an unknown plug (not off)")
        t.equal(lab.node(2)["power"], "on", "n2 after all that")

        # a frozen machine is on
        lab.freeze(2)
        t.equal(ask("status").rc, 0, "status of a frozen node")
        t0 = time.monotonic()
        t.equal(ask("off").rc, 0, "off")
        t.say(f"off took {time.monotonic() - t0:.3f} s")
        t.equal(lab.node(2)["power"], "off", "n2 after off")
        t.equal(ask("status").rc, 2, "status of a node that is off")
        t.equal(ask("list-status", plug=None).out, "n1,,ON\nn2,,OFF\n", "list-status")
        t.equal(ask("off").rc, 0, "off when already off")
        t.equal((ask("on").rc, lab.node(2)["power"], lab.node(2)["life"]), (0, "on", 2), "on")
        t.equal((ask("reboot", plug=None, port="n2").rc, lab.node(2)["life"]), (0, 3), "reboot by the old name port")

        lab.fault("lie", action="off", times=1)
        t.equal((ask("off").rc, lab.node(2)["power"], ask("status").rc), (0, "on", 0), "a lie is seen by status")
        for kind, action in (("fail", "off"), ("babble", "off"), ("babble", "status"), ("hang", "status")):
            lab.fault(kind, times=1)
            r = ask(action, timeout=1)
            t.equal((r.rc, lab.node(2)["power"]), (1, "on"), f"{action} with the switch's {kind}")
        for how in ("refused", "silent"):
            lab.reach(1, how)
            t.equal(ask("status", timeout=1).rc, 1, f"status with a {how} switch")
            t.equal(ask("status", plug="n1", actor=2).rc, 0, "the other node's way to it")
        lab.reach(1, "yes")
        t.equal(ask("status").rc, 0, "status when the switch is back")

        lab.fault("early", action="off", seconds=0.5)
        t.equal((ask("off").rc, lab.node(2)["power"]), (0, "on"), "an early answer")
        scene.until(lambda: lab.node(2)["power"] == "off", "the late deed")
        counted = lab.calls(action="off", plug="n2")
        t.equal([c["fault"] for c in counted], [None, None, None, "lie", "fail", "babble", "early"],
                "off calls at the switch: two, the reboot's, and four with faults")
        t.check(all(c["actor"] == 1 and c["end"] >= c["t"] for c in counted), f"calls: {counted}")
