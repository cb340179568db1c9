# SPDX-License-Identifier: GPL-3.0-or-later
"""Letting go without quorum, in grades: in order, writes stopped by an error table, users killed; never writable again as it was.

SAFE-1, SAFE-7. Three nodes, none of which hears another, so nobody has quorum and nobody is fenced. The serving node's unit does not
stop, and a process keeps writing to the volume. First: they hear each other again after the writes were stopped, before anybody
was killed: the service has failed there and goes to another node with a new epoch. Then: nothing heals, the
users are killed and the volume is let go without a reboot.
"""
import json
import os
import time

from cluster import Cluster, config

HANG = "[Service]\nExecStop=\nExecStop=/bin/sleep 30\nTimeoutStopSec=60\n"
WRITER = r"""
i=0
while :; do
	i=$((i + 1))
	printf '%08d\n' $i | dd bs=4096 count=1 conv=sync,notrunc oflag=dsync of=/var/www/html/w 2>/dev/null || { echo $i > /run/failed; sleep 1000; }
done
"""


def apart(c, op):
    for a, b in ((1, 2), (1, 3), (2, 3)):
        (c.lab.split if op else c.lab.join)(a, b)


def history(c, node, since_ms):
    out = json.loads(c.stockade(node, "history", "--json", "-n", "400", check=False).out or "{}").get("entries", [])
    return [e for e in out if e["mono_ms"] >= since_ms and e["node"] == node]


def uptime_ms(c, node):
    return int(float(c.lab.node(node).run("cat", "/proc/uptime").out.split()[0]) * 1000)


def busy(c, node):
    """A unit that does not stop, and a writer that keeps the volume busy."""
    n = c.lab.node(node)
    n.put("/etc/systemd/system/apache2.service.d/hang.conf", HANG)
    n.sh("systemctl daemon-reload; rm -f /run/failed")
    n.run("systemd-run", "-q", "--collect", "--unit=writer", "--working-directory=/var/www/html", "/bin/sh", "-c", WRITER)
    c.t.until(lambda: n.sh("test -s /var/www/html/w", check=False).code == 0, 20, "the writer writes")


def denied(c, node, at):
    """Until the writes of @node are stopped: how long that took."""
    n = c.lab.node(node)
    c.t.until(lambda: n.sh("test -s /run/failed", check=False).code == 0, 60, f"a write on {node} fails", 0.05)
    return time.monotonic() - at


def told(c, node):
    """status and why say it; an operator on a slow machine may come too late to see the volume there."""
    n = c.lab.node(node)
    halt = c.status(node, "storaged").get("halt") or {}
    c.t.check(halt.get("grade") in ("deny", "kill") and halt.get("reason") == "quorum is lost", f"what {node} says of itself: {halt}")
    said = c.stockade(node, "status", check=False).out
    c.t.check("quorum is lost" in said and ("next step" in said or "let go of everything" in said), f"stockade status says so: {said}")
    why = c.stockade(node, "why", "webdata", check=False).out
    gone = n.sh("dmsetup table vgcluster-lv0", check=False).code != 0
    c.t.check("by force" in why or gone, f"stockade why says so: {why}")


def play(t):
    c = Cluster(t, conf=config(nodes=3, detect=os.environ.get("STOCKADE_DETECT") or "6s"), nodes=3)
    first = c.server()
    epoch = c.status(first, "storaged")["volumes"][0]["epoch"]

    busy(c, first)
    mark = uptime_ms(c, first)
    at = time.monotonic()
    apart(c, True)
    with t.step("nobody has quorum: the writes are stopped"):
        took = denied(c, first, at)
    apart(c, False)
    healed = time.monotonic()
    with t.step("the nodes hear each other before anybody was killed: another one serves"):
        served = c.wait_served(since=healed, timeout=150)
    names = [e["event"] for e in history(c, first, mark)]
    t.check("self.deny" in names and "volume.deny" in names, f"the history of {first} tells the grades: {names}")
    t.check("self.reboot" not in names, f"it did not have to reboot: {names}")
    if "self.kill" in names:
        t.say("          (the machine was too slow for the nodes to meet before users were killed)")
    t.check(served[2] != first, f"served by {served[2]}, where nothing failed")
    t.equal([c.lab.node(n).sh("cat /proc/uptime").code for n in (1, 2, 3)], [0, 0, 0], "no node went down")
    now = c.status(served[2], "storaged")["volumes"][0]["epoch"]
    t.check(now > epoch, f"a new epoch: {epoch}, then {now}")
    t.check(c.lab.node(first).sh("dmsetup table vgcluster-lv0", check=False).code != 0, f"{first} has let go of the volume")
    t.say(f"          the first write failed {took:.1f} s after the nodes lost each other; served again {served[1] - healed:.1f} s after they met")

    second = served[2]
    t.until(lambda: all(c.seen(a, b).get("state") == "member" for a in ("node1", second) for b in ("node1", "node2", "node3")), 60, "all are members")
    busy(c, second)
    mark = uptime_ms(c, second)
    at = time.monotonic()
    apart(c, True)
    with t.step("again, and nothing heals: writes stopped, users killed, the volume let go"):
        took = denied(c, second, at)
        told(c, second)
        n = c.lab.node(second)
        t.until(lambda: n.sh("dmsetup table vgcluster-lv0", check=False).code != 0, 30, f"{second} lets go of the volume", 0.2)
    gone = time.monotonic() - at
    entries = {e["event"]: e["mono_ms"] for e in history(c, second, mark)}
    t.check(entries.get("self.stop", 0) < entries.get("self.deny", 0) < entries.get("self.kill", 0), f"the grades in order: {entries}")
    t.check("self.reboot" not in entries, f"it did not have to reboot: {entries}")
    apart(c, False)
    served = c.wait_served(since=time.monotonic(), timeout=150)
    t.say(f"          second time: the first write failed after {took:.1f} s, the volume was let go after {gone:.1f} s; served again by {served[2]}")
    c.lab.node(second).sh("rm -f /etc/systemd/system/apache2.service.d/hang.conf; systemctl daemon-reload")
    c.lab.node(first).sh("rm -f /etc/systemd/system/apache2.service.d/hang.conf; systemctl daemon-reload")
    c.finish()
