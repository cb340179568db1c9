# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache runs on every node all the time; the volume, a script that looks at it, and the address move, in order and by a crash.

stockade.yaml(5), EXAMPLES: how Keepalived's users run it. A takeover then waits for no start of a unit. The volume goes away below an Apache that
runs, while somebody downloads a big file from it: the move waits ten seconds at most, nobody is fenced, no record is lost, and Apache is still
the same process afterwards. An Apache that has ended is noticed by the script, and the service goes where one runs.
"""
import time

import lab as L
from cluster import Cluster, config

LOOK = """#!/bin/sh
# start: this node serves; status: LSB's 0 it does, 3 it does not, 1 it should and Apache is gone
case "$1" in
start) systemctl is-active -q apache2 && : >/run/web-here ;;
stop) rm -f /run/web-here ;;
status) [ -e /run/web-here ] || exit 3; systemctl is-active -q apache2 || exit 1 ;;
*) exit 2 ;;
esac
"""


def apache(c, node):
    return c.lab.node(node).run("systemctl", "show", "-p", "MainPID", "--value", "apache2").out.strip()


def download(c, node):
    """A client that reads 64 MiB from the volume slowly, more than sockets hold, over the node's own address, started in the background."""
    n = c.lab.node(node)
    n.sh("test -s /var/www/html/big || { dd if=/dev/zero of=/var/www/html/big bs=1M count=64 2>/dev/null; sync; }", timeout=120)
    n.run("systemd-run", "-q", "--collect", "--unit=slow", "curl", "-s", "--limit-rate", "100k", "-o", "/dev/null", f"http://{n.addr(0)}/big")
    c.t.until(lambda: n.sh("grep -l /var/www/html/big /proc/[0-9]*/maps; ls -l /proc/[0-9]*/fd 2>/dev/null | grep -c /var/www/html/big",
                           check=False).out.split()[-1:] > ["0"], 30, "Apache has the file open")


def play(t):
    lab = t.lab(nodes=2)
    for n in lab.nodes.values():
        n.put("/usr/local/sbin/web-here", LOOK, 0o755)
    L.in_parallel([(lambda n: n.sh("systemctl enable -q --now apache2 && sync", timeout=240), n) for n in lab.nodes.values()])
    c = Cluster(t, lab=lab, conf=config().replace("{unit: apache2}", "{script: /usr/local/sbin/web-here, monitor: 2s}"))
    first = c.server()
    other = "node2" if first == "node1" else "node1"

    begun = time.monotonic()
    pids = {n: apache(c, n) for n in (first, other)}
    for here, to in ((first, other), (other, first)):
        before = time.monotonic()
        download(c, here)
        with t.step(f"relocated to {to} while somebody downloads"):
            c.command(here, "service", "relocate", "web", to, timeout=120)
            served = c.wait_served(to, since=before)
        t.equal(apache(c, here), pids[here], f"Apache's process on {here}, where the volume went away")
        t.say(f"          record by {to} {served[1] - before:.2f} s after the request")
    t.equal([ev["text"] for ev in lab.events() if ev["mono"] > begun and "lifecycle" in ev["text"]], [], "what the hypervisor saw of the moves")

    at = time.monotonic()
    with t.step(f"Apache ends on {first}: the script sees it, {other} serves"):
        lab.node(first).run("systemctl", "stop", "apache2")
        c.wait_served(other, since=at)
    with t.step(f"it runs there again, and {other}'s kernel crashes: {first} serves"):
        lab.node(first).run("systemctl", "start", "apache2")
        t.until(lambda: c.seen(first, other).get("state") == "member", 60, "both are members")
        at = lab.node(other).crash()
        served = c.wait_served(first, since=at)
    t.say(f"          {served[1] - at:.2f} s from the crash to the first record of {first}, without any unit's start")
    c.check_one_writer([first, other, first, other, first])
    c.finish()
