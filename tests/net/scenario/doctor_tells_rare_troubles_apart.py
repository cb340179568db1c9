# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence --local tells a daemon that hangs, its libvirt that hangs, a limit and rewritten addresses apart.

Method: as doctor_names_the_hop_to_a_hypervisor; daemons are stopped by SIGSTOP.
"""
import os
import shutil
import signal
import subprocess

from guest import Guest, Rows, hosts, libvirts
from scene import Skip

SNAT = """table ip row {
 chain post {
  type nat hook postrouting priority 100; policy accept;
  ip protocol udp snat to 10.99.0.77
 }
}
"""


def rewritten(lab):
    """The guest as one behind a router that masquerades, and is the same machine: 10.98.0.99 inside, 10.99.0.77 to the others."""
    lab.guest_run("ip", "addr", "flush", "dev", "eth0")
    lab.guest_run("ip", "addr", "add", "10.98.0.99/24", "dev", "eth0")
    lab.guest_run("ip", "addr", "add", "10.99.0.77/32", "dev", "lo")
    lab.guest_run("ip", "route", "add", "10.99.0.0/24", "dev", "eth0", "src", "10.98.0.99")
    subprocess.run(["ip", "netns", "exec", lab.guest, "nft", "-f", "-"], input=SNAT, text=True, check=True)


def hypervisors(t, row):
    with Guest() as lab:
        uri = lab.machines(["n1", "n2"])
        d = lab.virtd(stock=False, uri=uri, groups='stockade { permit = "any"; queries_per_minute = "1"; }\n')
        row(lab, "ok")
        got = row(lab, "rate-limit")
        t.check(not any("no connection came of it" in s for s in got["seen"]), f"what came of the call-back: {got}")
        d.stop()

        d = lab.virtd(stock=False, uri=uri)
        row(lab, "ok")
        d.p.send_signal(signal.SIGSTOP)
        got = row(lab, "firewall-udp")  # it cannot be told from outside: both are said, and what decides
        t.check("hangs" in got["text"] and "firewall" in got["text"] and "--status" in got["remedy"][0], f"both are named: {got}")
        d.p.send_signal(signal.SIGCONT)
        d.stop()
        # a name that two guests have; the daemon's words are told
        d = lab.virtd(stock=False, uri=[uri, lab.machines(["n2", "n1"], name="other")])
        got = row(lab, "daemon-failed")
        t.check("use the uuid" in got["text"] and any("journalctl" in r for r in got["remedy"]), f"its words, and where to look: {got}")
        d.stop()
        d = lab.virtd(stock=False, uri=uri, listener="tcp")
        lab.conf(device=', ip: "10.99.0.1"')
        row(lab, "ok")
        d.p.send_signal(signal.SIGSTOP)
        row(lab, "daemon-stuck")
        d.p.send_signal(signal.SIGCONT)
        d.stop()

        lab.conf()
        rewritten(lab)
        d = lab.virtd(stock=False, uri=uri)
        got = row(lab, "address-changed")
        t.check("10.98.0.99" in got["text"] and "10.99.0.77" in got["text"], f"both addresses: {got}")
        d.stop()


def libvirt_hangs(t, row):
    if not shutil.which("libvirtd"):
        t.say("libvirtd is not installed: its rows were left out")
        return
    for stock in (False, True) if os.access(hosts.STOCK_VIRTD, os.X_OK) else (False,):
        with Guest() as lab:
            lv = libvirts.Libvirtd(lab)
            try:
                lab.conf(plug="test")
                d = lab.virtd(stock=stock, uri=f"test+unix:///default?socket={lv.path}")
                row(lab, "ok")
                lv.signal(signal.SIGSTOP)
                row(lab, "daemon-stuck" if stock else "libvirt-down")
                d.stop()
            finally:
                lv.stop()


def play(t):
    if not shutil.which("nft"):
        raise Skip("nft is not installed")
    rows = Rows(t)
    hypervisors(t, rows.row)
    libvirt_hangs(t, rows.row)
    rows.say()
