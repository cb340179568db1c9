# SPDX-License-Identifier: GPL-3.0-or-later
"""Stockade in a laboratory: the build put into the guests, one configuration, the daemons by their units, eyes on it.

	c = Cluster(t)               # both nodes up, volume prepared, service `web` running
	at = c.lab.node(1).crash()
	c.wait_serving(on="node2", since=at)
	c.finish()                   # stop cleanly; no acknowledged record is missing; e2fsck -fn is clean

What decides a scenario is seen from outside: the wire to the target (c.wire), libvirt's events, the clients, the disk.
"""
import atexit
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import lab as L
import labdisk
import labwire
from scene import Refuted, Skip

SRC = os.environ.get("STOCKADE_SRC") or os.path.abspath(os.path.join(L.HERE, "../.."))
BUILD = os.environ.get("STOCKADE_BUILD") or os.path.join(SRC, "build")
DAEMONS = ("fenced", "dlmd", "storaged")
VIP = "192.0.2.100"
STORAGE_LINK = 1
RECORDS = "/var/lib/stockade/records"     # in a node; kept over its crash


def config(nodes=2, detect="3s", portal="198.51.100.1", fence_key=L.FENCE_KEY, fence=None, extra="", attest=False,
           domain="{nodes: [node1, node2], ordered: true, restricted: true, failback: false}", fs="ext4"):
    """stockade.yaml of the laboratory's service."""
    rows = [f"cluster: lab\ndetect: {detect}\nnodes:"]
    for n in range(1, nodes + 1):
        use = (fence or {}).get(n, f"[{{vm: node{n}}}]")
        rows.append(f"  node{n}: {{id: {n}, link0: 192.0.2.1{n}, link1: 198.51.100.1{n}, fence: {use}}}")
    rows.append(f"""fence_devices:
  vm: {{agent: fence_xvm, key_file: {fence_key}{', attest: yes' if attest else ''}}}
volumes:
  webdata: {{iscsi: {{portal: {portal}, target: "{L.TARGET}"}}, vg: {L.VG}, lv: {L.LV}, fs: {fs}, mount: /var/www/html}}
domains:
  prefer1: {domain}
services:
  web: {{domain: prefer1, resources: [{{volume: webdata}}, {{unit: apache2}}, {{ip: {VIP}/24}}]}}
{extra}""")
    return "\n".join(rows)


_stage = []


def stage():
    """A `make install` tree of the build, made once per process; removed when it ends."""
    if not _stage:
        if not os.path.exists(f"{BUILD}/config.status"):
            raise Skip(f"there is no build in {BUILD}; run: tools/build build")
        path = tempfile.mkdtemp(prefix="stockade-stage-")
        atexit.register(shutil.rmtree, path, ignore_errors=True)
        with open(f"{BUILD}/.vm-stage.lock", "w") as lock:  # scenarios run side by side, make does not
            fcntl.flock(lock, fcntl.LOCK_EX)
            res = subprocess.run(["make", "-s", "-C", BUILD, "install-strip", f"DESTDIR={path}"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if res.returncode:
            raise L.LabError(f"make install: {res.stdout[-2000:]}")
        os.makedirs(f"{path}/usr/lib/stockade-lab")
        shutil.copy(f"{BUILD}/tests/net/ask", f"{path}/usr/lib/stockade-lab/ask")
        found = {name for _, _, files in os.walk(path) for name in files}
        missing = [p for p in ("stockade", *(f"stockade-{d}" for d in DAEMONS)) if p not in found]
        if missing:
            raise Skip(f"the build has no {', '.join(missing)} yet")
        _stage.append(path)
    return _stage[0]


class Cluster:
    def __init__(self, t, serve=True, conf=None, nodes=2, clients=True, wait_for_all=1, lab=None, record=False, **lab_args):
        """@serve: prepare the volume and wait until `web` runs; @conf: text, or {node number: text}; @clients: run them;
        @record: the daemons write their records (stockade(7)), and replay() feeds them to the cores again;
        @lab: one that is up already."""
        self.t = t
        build = stage()
        self.lab = lab or t.lab(nodes=nodes, **lab_args)
        self.wire = labwire.Wire(self.lab, STORAGE_LINK)
        self.probe = self.writer = None
        with t.step("build put into the nodes"):
            self.lab.put_build(build)
        conf = conf or config(nodes)
        with open(f"{self.lab.dir}/corosync.authkey", "rb") as f:
            key = f.read()
        for node in self.lab.nodes.values():
            text = conf if isinstance(conf, str) else conf[node.number]
            node.put_tree([("/etc/stockade/stockade.yaml", text, 0o644), ("/etc/corosync/authkey", key, 0o400)])
        corosync = self.lab.node(1).run("stockade", "corosync-conf").out
        if wait_for_all == 0:
            corosync = corosync.replace("two_node: 1", "two_node: 1\n\twait_for_all: 0")
        for node in self.lab.nodes.values():
            node.put("/etc/corosync/corosync.conf", corosync)
            if record:
                for d in DAEMONS:
                    node.put(f"/etc/systemd/system/stockade-{d}.service.d/record.conf",
                             f"[Service]\nEnvironment=STOCKADE_RECORD={RECORDS}\n")
        if serve:
            self.start()
            with t.step("volume prepared, service running"):
                self.prepare()
                self.wait_running()
        if serve and clients:
            self.start_clients()

    # -- life

    def start(self, *numbers):
        """The daemons, now and at each boot."""
        nodes = [self.lab.node(n) for n in numbers] or list(self.lab.nodes.values())
        with self.t.step("corosync and stockade started"):
            # a crash soon after must not leave a node whose configuration never reached its disk
            L.in_parallel([(lambda n: n.sh("systemctl enable --now stockade.target && sync", timeout=240), n) for n in nodes])

    def start_clients(self):
        """A client that reads the page, and one that appends records; returns when the first are acknowledged."""
        self.probe = self.lab.http(f"http://{VIP}/").__enter__()
        self.writer = self.lab.appender(f"http://{VIP}/cgi-bin/append").__enter__()
        self.t.closers.append(self.stop_clients)
        self.t.until(lambda: len(self.writer.acked) >= 3, 60, "the first records are acknowledged")

    def stop_clients(self):
        for client in (self.probe, self.writer):
            if client and not client.ended.is_set():
                client.stop()

    def prepare(self):
        """The administrator's one `stockade volume prepare`, as soon as the daemons are ready for it."""
        last = []

        def once():
            res = self.lab.node(1).run("stockade", "volume", "prepare", "webdata", check=False, timeout=90)
            last[:] = [res]
            return res.code == 0
        try:
            L.wait_until(once, 90, "stockade volume prepare", 0.5)
        except TimeoutError as e:
            raise Refuted(f"{e}: {last[0].out}{last[0].err}") from None

    # -- what the daemons say (on test too: never the only evidence)

    def ask(self, node, daemon, timeout=3.0, **request):
        """One request of doc/protocol.md; {"ok": False, "code": "down"} when the node does not answer."""
        try:
            res = self.lab.node(node).run("/usr/lib/stockade-lab/ask", check=False, timeout=timeout + 10,
                                          stdin=f"stockade-{daemon} {int(timeout * 1000)} {json.dumps(request)}\n")
            return json.loads(res.out)
        except (L.NodeSilent, L.NodeLost, ValueError) as e:
            return {"ok": False, "code": "down", "error": str(e)}

    def status(self, node, daemon):
        return self.ask(node, daemon, cmd="status")

    def service(self, node, name="web"):
        return next((s for s in self.status(node, "storaged").get("services", []) if s["name"] == name), {})

    def seen(self, by, name):
        """How fenced of node @by sees node @name, {} without an answer."""
        return next((n for n in self.status(by, "fenced").get("nodes", []) if n["name"] == name), {})

    def stockade(self, node, *argv, **kw):
        return self.lab.node(node).run("stockade", *argv, **kw)

    def command(self, node, *argv, timeout=90):
        """An operator's command that must be done, repeated while it says "not now, ask again" (exit code 5)."""
        last = []

        def once():
            last[:] = [self.stockade(node, *argv, check=False, timeout=timeout)]
            return last[0].code != 5
        self.t.until(once, timeout, f"stockade {' '.join(argv)} is not put off", 0.5)
        self.t.equal(last[0].code, 0, f"exit code of stockade {' '.join(argv)}: {last[0].out}{last[0].err}")
        return last[0]

    def wait_running(self, on=None, by=1, timeout=90):
        """Until the service runs, as its own node's daemon says; that node's name."""
        def running():
            svc = self.service(by)
            return svc.get("node") if svc.get("state") == "running" and on in (None, svc.get("node")) else None
        return self.t.until(running, timeout, f"service web runs on {on or 'a node'}: {self.service(by)}", 0.3)

    # -- what is true

    def running_since(self, node):
        """What changes when the service is stopped and started again: its unit's process and its mount, as the kernel knows them."""
        return self.lab.node(node).sh("systemctl show -p MainPID -p InvocationID apache2; grep ' /var/www/html ' /proc/self/mountinfo").out

    def server(self):
        """The node that the last acknowledged record names."""
        return self.writer.acked[-1][2] if self.writer.acked else None

    def wait_served(self, on=None, since=None, timeout=120):
        """The first record that @on (or any node) acknowledged after @since: (number, at, node)."""
        since = time.monotonic() if since is None else since

        def acked():
            return next((a for a in self.writer.acked if a[1] > since and on in (None, a[2])), None)
        return self.t.until(acked, timeout, f"a record is acknowledged by {on or 'a node'} "
                                            f"(last refusals: {self.writer.refused[-2:]})", 0.05)

    def fenced_at(self, name, since, timeout=120):
        """When libvirt said that the node was powered off after @since."""
        return self.lab.wait_event(name, "Stopped", since=since, timeout=timeout)["mono"]

    def runs(self):
        """Who wrote to the volume when, off the wire: [(node, first, last, writes)]."""
        with open(self.lab.disk, "rb") as f:
            return labwire.runs(self.wire, labdisk.lv_extents(f, L.VG, L.LV))

    def check_one_writer(self, order):
        """SAFE-1 off the wire: the volume was written by these nodes, in this order, never by two in one period."""
        self.t.equal(self.wire.missed, 0, "frames that the wire watch missed")
        found = [node for node, *_ in self.runs()]
        self.t.equal(found, list(order), f"nodes that wrote to the volume, in order (SAFE-1); runs: {self.runs()}")

    def downtime(self):
        return self.probe.downtime()

    def replay(self):
        """What the daemons recorded, also before a crash, fed to the same cores again: alike, or the test fails."""
        told = []
        with tempfile.TemporaryDirectory(prefix="stockade-records.") as folder:
            for node in self.lab.nodes.values():
                for d in DAEMONS:
                    path = f"{folder}/{node.number}-{d}.record"
                    with open(path, "wb") as f:
                        f.write(node.get(f"{RECORDS}/stockade-{d}.record"))
                    got = subprocess.run([f"{BUILD}/sim/sim", "--replay", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
                    self.t.equal(got.returncode, 0, f"the replay of node{node.number}'s {d} says {got.stdout[-600:]}")
                    told.append(int(re.search(r"(\d+) events", got.stdout).group(1)))
        self.t.say(f"          {len(told)} records replayed alike: {sum(told)} events")

    def finish(self, by=None):
        """End the clients, stop the service cleanly, look at the disk: records and e2fsck."""
        self.stop_clients()
        node = by or int(self.server().removeprefix("node"))
        with self.t.step("service stopped cleanly, disk looked at from outside"):
            self.command(node, "service", "disable", "web")
            with self.lab.volume() as vol:
                code, out = vol.fsck()
                self.t.equal(code, 0, f"e2fsck -fn of the volume after a clean stop says {out[-500:]}")
                missing = self.writer.missing_from(vol.read("/records.txt"))
            self.t.equal(missing, [], f"acknowledged records (of {len(self.writer.acked)}) that are not on the disk")
        self.t.say(f"          {len(self.writer.acked)} records acknowledged, {len(self.writer.refused)} refused, none missing; "
                   f"longest outage {self.downtime():.2f} s")
        self.wire.stop()


if __name__ == "__main__":
    sys.stdout.write(config())
