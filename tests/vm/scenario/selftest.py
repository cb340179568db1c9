# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory itself: guests, cluster, disk, fencing, crash, cuts, power and clients do what scenarios rely on."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import lab as L
import labclient

PORTAL = "198.51.100.1"


def login(node):
    node.sh(f"iscsiadm -m discovery -t sendtargets -p {PORTAL} && iscsiadm -m node -T {L.TARGET} --login")
    L.wait_until(lambda: node.sh(f"ls /dev/disk/by-path/*{L.TARGET}-lun-1", check=False).code == 0, 20,
                 f"{node.name} has the disk")


def play(t):
    with t.step("two guests booted"):
        lab = t.lab()
    one, two = lab.node(1), lab.node(2)
    start_time = os.stat(f"{lab.dir}/state.json").st_mtime

    with t.step("commands, files, clocks"):
        t.equal(one.run("hostname").out, "node1\n", "host name")
        t.equal(one.sh("cat; echo err >&2; exit 7", stdin="some\n", check=False).__dict__,
                L.labchannel.Result(7, b"some\n", b"err\n").__dict__, "input, output, errors and exit code of a command")
        blob = os.urandom(3 << 20)
        one.put("/root/blob", blob, 0o600)
        t.equal(one.get("/root/blob"), blob, "3 MiB written and read back")
        offset, error = two.clock()
        t.check(abs(offset + time.monotonic() - time.time()) < 0.2 + error, f"clock of node2 is ours (error {error * 1000:.2f} ms)")
        L.in_parallel([(one.run, "sleep", "0.5")] * 4)
        with tempfile.TemporaryDirectory() as stage:
            os.makedirs(f"{stage}/lib/systemd/system")
            with open(f"{stage}/lib/systemd/system/lab-test.service", "w") as f:
                f.write("[Service]\nExecStart=/bin/true\n")
            lab.put_build(stage)
        t.equal(two.run("systemctl", "show", "-P", "LoadState", "lab-test").out, "loaded\n", "a unit of a build tree")

    with t.step("corosync quorate on both"):
        t.say(f"          of these {lab.corosync():.2f} s to quorum")

    with t.step("both nodes logged in to the target"):
        for node in (one, two):
            login(node)
        t.equal(sorted(s["initiator"] for s in lab.iscsi_sessions()),
                ["iqn.2026-11.test:node1", "iqn.2026-11.test:node2"], "sessions that the target has")

    with t.step("node 1 serves the shared volume"):
        one.sh(f"vgchange -q -ay {L.VG} && mount /dev/{L.VG}/{L.LV} /var/www/html && systemctl start apache2"
               " && ip addr add 192.0.2.100/24 dev eth0")
    t.equal(two.run("dmsetup", "ls").out.strip(), "No devices found", "node 2 did not activate the volume by itself")

    with t.step("fence_xvm from node 2 through the stock fence_virtd"):
        t.check("node1" in two.run("fence_xvm", "-o", "list").out, "fence_xvm lists node1")
        t.check("ON" in two.run("fence_xvm", "-o", "status", "-H", "node1").out, "fence_xvm says that node1 is on")

    with lab.http("http://192.0.2.100/") as probe, lab.appender(pause=0.02) as writer:
        with t.step("page and records through the service"):
            probe.wait_ok(30)
            t.check(b"shared volume" in probe.attempts[-1].body, "the page comes from the shared volume")
            t.until(lambda: len(writer.acked) >= 20, 30, "20 records acknowledged")
        with t.step("a cut of both links is seen, and healed"):
            at = time.monotonic()
            one.cut()
            t.check("UP" in one.sh("ip -br link show eth0").out, "a cut node still sees its link up")
            t.until(lambda: lab.quorate(two) == 1, 30, "node 2 sees the cut")
            seen = time.monotonic() - at
            one.heal()
            t.until(lambda: lab.quorate(two) == 2, 60, "node 2 sees node 1 again")
            probe.wait_ok(60)
        t.say(f"          membership told it after {seen:.2f} s; the client saw {probe.downtime():.2f} s without service")
        t.check(probe.downtime() > 1, "the client noticed the cut")
        with t.step("one direction cut: node 2 hears nothing from node 1"):
            one.cut(direction="out")
            t.until(lambda: lab.quorate(two) == 1, 30, "node 2 sees the one-way cut")
            one.heal(direction="out")
            t.until(lambda: lab.quorate(two) == 2, 60, "node 2 sees node 1 again")
            probe.wait_ok(60)
        with t.step("a paused guest answers nobody"):
            one.pause()
            t.equal(one.state()[0], "paused", "state of a paused guest")
            try:
                L.labchannel.run(one.channel, ["true"], timeout=1)
                t.check(False, "a paused guest answered")
            except L.NodeSilent:
                pass
            one.resume()
            t.until(lambda: one.run("true", check=False).code == 0, 20, "the guest answers again")
            probe.wait_ok(60)
        with t.step("kernel panic is seen by the hypervisor"):
            t.until(lambda: writer.acked and time.monotonic() - writer.acked[-1][1] < 0.5, 30, "records are written again")
            at = one.crash()
            ev = lab.wait_event("node1", "Crashed", since=at, timeout=30)
            t.equal(one.state(), ("crashed", "panicked"), "state of a panicked guest")
        t.say(f"          {ev['mono'] - at:.2f} s after sysrq-c: {ev['text']}")
        t.check("sysrq" in L.Lab.read(lab, "node1.console").lower(), "the console log has the panic")
        with t.step("node 2 takes the volume by hand, after fence_xvm -o off"):
            with t.step("  fence_xvm -o off"):
                two.run("fence_xvm", "-o", "off", "-H", "node1")
            t.equal(one.state()[0], "shut off", "state after fencing")
            for argv in (f"vgchange -q -ay {L.VG}", f"e2fsck -p /dev/{L.VG}/{L.LV} || [ $? = 1 ]",
                         f"mount /dev/{L.VG}/{L.LV} /var/www/html", "systemctl start apache2",
                         "ip addr add 192.0.2.100/24 dev eth0", "arping -q -c 1 -U -I eth0 192.0.2.100"):
                with t.step(f"  {argv}"):
                    two.sh(argv)
            t.say(f"          serving again {probe.wait_ok(60).end - at:.2f} s after the panic")

    with t.step("clean end; the disk seen from outside"):
        two.sh(f"systemctl stop apache2; umount /var/www/html && vgchange -q -an {L.VG} && iscsiadm -m node --logout")
        t.until(lambda: not [s for s in lab.iscsi_sessions() if s["initiator"].endswith("node2")], 20, "node 2's session ends")
        with lab.volume() as vol:
            code, out = vol.fsck()
            t.check(code == 0, f"e2fsck -fn is clean: {out}")
            missing = writer.missing_from(vol.read("/records.txt"))
        t.equal(missing, [], f"records of {len(writer.acked)} acknowledged that are not on the disk")
        t.check(writer.missing_from(b"1 node1\n"), "the check of records would find a missing one")

    with t.step("node 1 boots again"):
        one.start()
        one.wait_booted()
        t.until(lambda: one.run("true", check=False).code == 0, 10, "node 1 answers")

    with t.step("a daemon of the host's side stops and starts"):
        lab.control("stop", "fence_virtd")
        res = two.sh("timeout 3 fence_xvm -o status -H node1", check=False)
        t.check(res.code not in (0, 2), f"without fence_virtd, fence_xvm has no answer (code {res.code})")
        lab.control("start", "fence_virtd")
        t.until(lambda: two.run("fence_xvm", "-o", "status", "-H", "node1", check=False).code == 0, 20, "fence_virtd is back")

    with t.step("an owner that is killed leaves nothing"):
        orphan(t)
    t.check(start_time == os.stat(f"{lab.dir}/state.json").st_mtime, "the other lab was left alone")


def orphan(t):
    """SIGKILL a process that owns a lab: its process 1 must go at once, its folder by reap()."""
    name = f"vm-orphan-{os.getpid()}"
    code = (f"import sys; sys.path.insert(0, {os.path.dirname(L.__file__)!r}); import lab, time\n"
            f"l = lab.Lab({name!r}, nodes=1); l.up(boot=False); print('up', flush=True); time.sleep(600)")
    proc = subprocess.Popen([sys.executable, "-B", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    t.equal(proc.stdout.readline(), b"up\n", "the owner's lab is up")
    with open(os.path.join(L.labs_dir(), name, "state.json")) as f:
        init = json.load(f)["init"]
    t.check(L.alive(init), "its process 1 runs")
    proc.send_signal(signal.SIGKILL)
    proc.wait()
    proc.stdout.close()
    t.until(lambda: not L.alive(init), 10, "process 1 went with its owner", 0.02)
    t.check(name in L.reap(say=t.say), "reap removes what it left")
    t.check(not os.path.exists(os.path.join(L.labs_dir(), name)), "its folder is gone")


assert labclient.dechunk(b"3\r\nabc\r\n0\r\n\r\n") == b"abc"
