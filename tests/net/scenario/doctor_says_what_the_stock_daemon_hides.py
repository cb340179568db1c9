# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence --local by the stock fence_virtd, which says nothing to another key: what cannot be told is said, with what decides.

Method: as doctor_names_the_hop_to_a_hypervisor, with the stock daemon.
"""
import json
import os
import shutil

from guest import Guest, Rows, hosts
from scene import Skip


def play(t):
    if not shutil.which("nft"):
        raise Skip("nft is not installed")
    if not os.access(hosts.STOCK_VIRTD, os.X_OK):
        raise Skip("the stock fence_virtd is not installed: apt-get install fence-virtd")
    rows = Rows(t)
    row = rows.row
    with Guest() as lab:
        uri = lab.machines(["n1", "n2"])
        d = lab.virtd(stock=True, uri=uri)
        row(lab, "ok")
        lab.conf(plug="nobody")
        row(lab, "guest-unknown")
        lab.conf()
        lab.rules(lab.guest, "input tcp dport 1229 drop")
        row(lab, "firewall-tcp-back-here")
        lab.forget(lab.guest)
        d.stop()  # it would still call back for what it heard before
        d = lab.virtd(stock=True, uri=uri)
        lab.conf(key=lab.write("other", b"another key altogether"))
        got = row(lab, "no-answer")
        t.check("another key" in got["text"] and "firewall" in got["text"], f"both are named: {got}")
        # where the machine is named, that its port is silent and not closed leaves two causes, and what decides is said
        lab.conf(key=f"{lab.dir}/other", device=', hypervisors: "10.99.0.1"')
        got = row(lab, "firewall-or-key")
        t.check("Key mismatch" in json.dumps(got["remedy"]), f"what decides: {got}")
        t.check("Key mismatch" in d.text(), f"the stock daemon says it: {d.text()[-400:]}")
        d.stop()
        row(lab, "no-daemon")
    rows.say()
