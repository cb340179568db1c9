# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody mounted the volume by hand on a node that does not own it: no other node activates it (SAFE-1, SAFE-10)."""
import time

import lab as L
from cluster import Cluster


def play(t):
    c = Cluster(t, clients=False)
    two = c.lab.node(2)
    c.command(1, "service", "disable", "web")
    two.sh(f"iscsiadm -m node -T {L.TARGET} --login; sleep 2; vgchange -q -ay {L.VG}; mkdir -p /m; mount /dev/{L.VG}/{L.LV} /m", check=False)
    t.check(L.LV in two.run("cat", "/proc/mounts").out, "node2 mounted the volume by hand")
    with t.step("node1 does not start the service beside it"):
        c.stockade(1, "service", "enable", "web", "--no-wait", timeout=60)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            both = "/var/www/html" in c.lab.node(1).run("cat", "/proc/mounts").out and " /m " in two.run("cat", "/proc/mounts").out
            t.check(not both, "SAFE-1: node1 mounted the volume while node2 had it mounted")
            time.sleep(1)
        why = c.stockade(1, "why", "web", check=False).out
        t.say(f"          {' '.join(why.split())[:200]}")
        mounted = lambda: "active on node2 by hand (mounted on /m)" in " ".join(c.stockade(1, "why", "web", check=False).out.split())  # noqa: E731
        t.until(mounted, 30, "why names the node, the mount and who did it", 1)  # node2 may have looked between vgchange and mount
    with t.step("unmounted by hand: it goes on"):
        two.sh(f"umount /m; vgchange -q -an {L.VG}", check=False)
        c.command(1, "service", "enable", "web", timeout=120)
        t.until(lambda: c.service(1).get("state") == "running", 90, "the service runs", 0.5)
    c.wire.stop()
