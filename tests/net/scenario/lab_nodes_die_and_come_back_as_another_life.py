# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory is true: a cut node is gone, a rebooted one has a new boot id and its old disk, all see it.

Goal: the other scenarios may believe their lab. Method: each operation, then corosync's own view of it.
"""
import time

from scene import until


def play(t):
    with t.lab(nodes=3) as lab:
        lab.wait_quorate()
        t.equal(len({lab.node(k)["boot_id"] for k in (1, 2, 3)}), 3, "different boot ids")
        for k in (1, 2, 3):
            seen = lab.exec(k, "cat", "/proc/sys/kernel/random/boot_id").out.strip()
            t.equal(seen, lab.node(k)["boot_id"], f"boot id that n{k} sees")
        lab.exec(2, "sh", "-c", "echo kept >/var/lib/stockade/disk; echo lost >/run/memory")
        old = lab.node(2)["boot_id"]

        t0 = time.monotonic()
        lab.powercut(2)
        t.equal(lab.pids(2, "corosync"), [], "processes of a cut node")
        lab.wait_members(1, (1, 3), True)
        t.say(f"power cut seen after {time.monotonic() - t0:.2f} s")

        t0 = time.monotonic()
        lab.boot(2)
        lab.wait_quorate()
        t.say(f"booted and back after {time.monotonic() - t0:.2f} s")
        t.check(lab.node(2)["boot_id"] != old, "a second life has the boot id of the first")
        t.equal(lab.exec(2, "cat", "/var/lib/stockade/disk").out, "kept\n", "the disk after a power cut")
        t.check(lab.exec(2, "cat", "/run/memory").rc != 0, "memory survived a power cut")

        lab.split((1, 2), (3,))
        lab.wait_members(3, (3,), False)
        lab.wait_members(1, (1, 2), True)
        lab.heal()
        lab.wait_quorate()

        lab.freeze(3)
        lab.wait_members(1, (1, 2), True)
        lab.thaw(3)
        lab.wait_quorate()

        lab.exec(1, "python3", "-c", "import ctypes; ctypes.CDLL(None).reboot(0x1234567)", timeout=5)
        until(lambda: (lab.node(1)["life"], lab.node(1)["power"]) == (2, "on"), "n1 to come back from reboot(2)")
        lab.wait_quorate()
        t.equal([e["by"] for e in lab.events("off", node=1)], ["itself: reboot"], "who switched n1 off")
