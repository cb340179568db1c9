# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence --local names the hop of a fence_xvm path that drops: each cause is made, and recognised.

Method: a guest and a hypervisor in network namespaces (tests/interop/lab.py), stockade-virtd or the stock daemon on libvirt's test
driver; for each row one thing is broken, the command is run, and its cause compared; before and after the path is whole.
"""
import json
import os
import shutil
import subprocess
import time

from guest import Guest, Rows
from scene import Skip, until


def play(t):
    if not shutil.which("nft"):
        raise Skip("nft is not installed")
    rows = Rows(t)
    row = rows.row

    def ours(lab, d):
        """Rows with stockade-virtd; it was seen whole first, so that silence is not the stock daemon's."""
        guest, host = lab.guest, lab.hosts[0]
        row(lab, "ok")
        for want, got in rows.dropped(
                lab,
                ("firewall-out", guest, "output udp dport 1229 drop"),
                ("firewall-udp", host, "input udp dport 1229 drop"),
                ("firewall-udp", host, "input udp dport 1229 reject with icmpx admin-prohibited"),
                ("firewall-tcp-back-here", guest, "input tcp dport 1229 drop"),
                ("firewall-tcp-back", host, "output tcp dport 1229 drop"),
                ("firewall-tcp-back", host, "input tcp sport 1229 drop"),
                ("multicast-lost", host, "input ip daddr 225.0.0.12 drop")):
            t.check("10.99.0.1" in json.dumps(got) or want == "firewall-out", f"who: {got}")
        row(lab, "ok")

        # a route to the hypervisor that leaves by another interface than its call-back came by
        lab.eth1(guest, "10.98.0.99/24")
        lab.guest_run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
        lab.guest_run("ip", "route", "add", "10.99.0.1/32", "dev", "eth1")
        got = row(lab, "wrong-interface-back")
        t.check("eth1" in got["text"] and "eth0" in got["text"], f"both interfaces: {got}")
        lab.guest_run("ip", "link", "del", "eth1")

        # no address
        lab.guest_run("ip", "link", "set", "eth0", "down")
        row(lab, "no-address")
        lab.guest_run("ip", "link", "set", "eth0", "up")
        row(lab, "ok")

        # another program has the port of the call-back
        taken = subprocess.Popen(["ip", "netns", "exec", guest, "python3", "-c", "import socket, time\n"
                                  "s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', 1229)); s.listen(); time.sleep(60)"])
        until(lambda: ":1229 " in lab.guest_run("ss", "-Hltn"), "the port to be taken", 10, 0.05)
        row(lab, "port-taken")
        taken.kill()
        taken.wait()

        lab.conf(plug="nobody")
        row(lab, "guest-unknown")
        lab.conf(key=lab.write("other", b"another key altogether"))
        row(lab, "wrong-key")
        lab.conf(key=f"{lab.dir}/no-such-file")
        row(lab, "secret")
        lab.conf(agent="/usr/sbin/fence_xvm_of_nobody")
        row(lab, "agent-missing")
        lab.conf(plug="n3")  # off, as libvirt has it
        row(lab, "ok")
        row(lab, "plug-of-another", member=True)
        lab.conf(device=', hypervisors: "10.99.0.50"')
        row(lab, "no-host")
        lab.conf(device=', ip: "10.55.0.1"')
        row(lab, "no-route")
        lab.conf(device=', ip: "10.99.0.1"')
        row(lab, "no-daemon")  # it listens to the group, not to tcp
        lab.rules(host, "input tcp dport 1229 drop")
        row(lab, "firewall-tcp")
        lab.forget(host)
        lab.conf()

        # the command itself, whole and broken
        r = lab.stockade()
        t.equal(r.rc, 0, f"the command: {r}")
        lab.rules(guest, "input tcp dport 1229 drop")
        r = lab.stockade()
        lab.forget(guest)
        t.say(r.out.replace("\n", " | "))
        t.equal(r.rc, 1, f"the command: {r}")
        for word in ("n1 cannot fence n2 by vm", "firewall-tcp-back-here", "nft insert rule inet filter input tcp dport 1229 accept",
                     "0 ways work, 1 broken. Nobody was fenced."):
            t.check(word in r.out, f"{word}: {r}")
        t.equal(json.loads(lab.stockade("--json").out)["pass"], 1, "--json")
        d.stop()
        row(lab, "no-daemon")

    with Guest() as lab:
        uri = lab.machines(["n1", "n2", "n3"], off=("n3",))
        d = lab.virtd(stock=False, uri=uri)
        try:
            ours(lab, d)
        finally:
            d.stop()
    rows.say()
