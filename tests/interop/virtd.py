# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade-virtd through what its host does to it: keys that change, a libvirtd that hangs, dies and comes back, a worker
process that is killed. The stock fence_xvm asks.
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from cases import HERE
from lab import BUILD, KEY, Lab, OUR_VIRTD, OUR_XVM, STOCK_XVM, check, equal, sh

CLAIMS = ("keys_change_without_a_gap", "libvirtd_that_is_away_is_unknown_and_an_off_outlives_it",
          "libvirtd_that_takes_a_connection_and_says_nothing_is_given_up",
          "killed_worker_process_is_made_anew", "hundreds_at_once_beside_silent_ones_are_all_answered",
          "old_file_warns_loudly_and_an_explicit_line_opens", "who_fenced_whom_is_written_down", "transient_guest_comes_back_from_a_reboot",
          "odd_states_are_on_until_they_are_off")


def ask(lab, action, key=None, timeout=4):
    return lab.run([STOCK_XVM, "-o", action, "-H", "test", "-k", key or lab.key, "-t", str(timeout), "-r", "5"]).rc


def keys_change_without_a_gap():
    """KEY.new beside KEY: both count after SIGHUP; after the rename the new one alone."""
    with Lab() as lab:
        fresh = lab.write("fresh", KEY[::-1])
        old = lab.write("old", KEY)
        d = lab.virtd(stock=False)

        def reload():
            n = d.text().count("virtd.reload")
            d.p.send_signal(signal.SIGHUP)
            end = time.monotonic() + 5
            while d.text().count("virtd.reload") == n and time.monotonic() < end:
                time.sleep(0.02)
        equal((ask(lab, "status", old), ask(lab, "status", fresh, 2)), (0, 1), "before: old key, new key")
        lab.write("key.new", KEY[::-1])
        reload()
        equal((ask(lab, "status", old), ask(lab, "status", fresh)), (0, 0), "in between: old key, new key")
        os.rename(f"{lab.dir}/key.new", lab.key)
        reload()
        equal((ask(lab, "status", old, 2), ask(lab, "status", fresh)), (1, 0), "after: old key, new key")
        lab.write("key", b"", 0o600)
        reload()
        equal(ask(lab, "status", fresh), 0, "an empty key file leaves the key before in force")


class Libvirtd:
    """A libvirtd with the test driver, in mounts of its own; at @path."""

    def __init__(self, lab):
        self.dir = f"{lab.dir}/lv"
        os.makedirs(self.dir, exist_ok=True)
        self.path = f"{self.dir}/libvirt-sock"
        lab.write("lv.conf", f'unix_sock_dir = "{self.dir}"\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0700"\n')
        self.script = "for d in /run/libvirt /var/lib/libvirt /etc/libvirt /var/cache/libvirt /var/log/libvirt; do " \
            f"mkdir -p $d; mount -t tmpfs tmpfs $d; done; exec libvirtd -f {lab.dir}/lv.conf -p {self.dir}/pid"
        self.log = open(f"{lab.dir}/libvirtd.log", "ab")
        self.start()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.p = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-n", "sh", "-c", self.script],
                                  stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        end = time.monotonic() + 20
        while not os.path.exists(self.path):
            check(self.p.poll() is None and time.monotonic() < end, "libvirtd starts")
            time.sleep(0.05)

    def signal(self, sig):
        self.p.send_signal(sig)

    def stop(self):
        self.p.kill()
        self.p.wait()


def libvirtd_that_is_away_is_unknown_and_an_off_outlives_it():
    """Stopped or dead, status is a failure, never off (SAFE-3), in time; an off that was asked meanwhile is done when it is back."""
    with Lab() as lab:
        lv = Libvirtd(lab)
        try:
            d = lab.virtd(stock=False, uri=f"test+unix:///default?socket={lv.path}")
            equal(ask(lab, "status"), 0, "status")
            lv.signal(signal.SIGSTOP)
            begin = time.monotonic()
            equal(ask(lab, "status", timeout=12), 1, "status while libvirtd hangs")
            check(time.monotonic() - begin < 9, f"it took {time.monotonic() - begin:.1f} s")
            lv.signal(signal.SIGCONT)
            lv.stop()
            end = time.monotonic() + 15
            while "state=down" not in d.text() and time.monotonic() < end:
                time.sleep(0.05)
            equal(ask(lab, "status"), 1, "status while libvirtd is dead")
            got = []
            off = threading.Thread(target=lambda: got.append(ask(lab, "off", timeout=25)))
            off.start()
            time.sleep(1)
            lv.start()
            off.join()
            equal(got, [0], "an off that was asked while libvirtd was dead")
            equal(ask(lab, "status"), 2, "status after it")
        finally:
            lv.stop()


def libvirtd_that_takes_a_connection_and_says_nothing_is_given_up():
    """It is asked nothing while it is away, so no question would notice that connecting hangs: as libvirtd restarts, or is stopped."""
    with Lab() as lab:
        lv = Libvirtd(lab)
        mute = socket.socket(socket.AF_UNIX)
        try:
            lv.stop()
            if os.path.exists(lv.path):
                os.unlink(lv.path)
            mute.bind(lv.path)
            os.chmod(lv.path, 0o777)
            mute.listen(8)
            d = lab.virtd(stock=False, uri=f"test+unix:///default?socket={lv.path}", wait=False)
            held = [mute.accept()[0]]
            os.unlink(lv.path)
            lv.start()
            end = time.monotonic() + 60
            while "state=up" not in d.text() and time.monotonic() < end:
                time.sleep(0.1)
            equal(ask(lab, "status"), 0, "status of the libvirtd behind the mute one")
            check("a connection to libvirt hangs" in d.text(), d.text())
            held[0].close()
        finally:
            mute.close()
            lv.stop()


def killed_worker_process_is_made_anew():
    with Lab() as lab:
        d = lab.virtd(stock=False)
        equal(ask(lab, "status"), 0, "status")
        for child in sh("pgrep", "-P", str(d.p.pid), "-f", "--", "--backend").split():
            os.kill(int(child), signal.SIGKILL)
        end = time.monotonic() + 10
        while d.text().count("state=up") < 2 and time.monotonic() < end:
            time.sleep(0.05)
        equal(ask(lab, "status"), 0, "status of the new process")
        check(d.p.poll() is None, "the daemon itself runs on")


LOAD = os.path.join(BUILD, "tests/bench/fence_load")


def hundreds_at_once_beside_silent_ones_are_all_answered():
    """300 guests ask at the same moment, and eight take their call-back and say nothing: nobody waits for anybody."""
    with Lab() as lab:
        d = lab.virtd(stock=False)
        addresses = [f"10.98.{n // 100}.{n % 100 + 1}" for n in range(300)]
        mutes = [f"10.97.0.{n}" for n in range(1, 9)]
        batch = lab.write("batch", "".join(f"addr add {a}/32 dev eth0\n" for a in addresses + mutes))
        sh("ip", "-n", lab.guest, "-batch", batch)
        sh("ip", "-n", lab.hosts[0], "route", "add", "10.96.0.0/13", "via", "10.99.0.99")
        silent = [subprocess.Popen(["ip", "netns", "exec", lab.guest, "setpriv", "--pdeathsig", "KILL", sys.executable, f"{HERE}/wire.py",
                                    "mute", lab.key, a, "60"], stdout=subprocess.PIPE) for a in mutes]
        try:
            for p in silent:
                check(p.stdout.readline(), "a silent peer takes its call-back")
            r = lab.run([LOAD, lab.key, "3", "test"] + addresses, timeout=120, env={"FENCE_LOAD_PATIENCE_S": "60"})
            equal(r.rc, 0, f"{r} {d.text()[-300:]}")
            facts = json.loads(r.out)
            print(f"  {facts}", flush=True)
            equal((facts["failed"], facts["requests"]), (0, 900), f"{facts}")
        finally:
            for p in silent:
                p.kill()
                p.wait()
                p.stdout.close()


def old_file_warns_loudly_and_an_explicit_line_opens():
    """No map: everything is permitted, as with the stock daemon, and every place says so. Any section of ours: default-deny."""
    with Lab() as lab:
        for more, rc, loud in (("", 0, True), ("stockade { off_timeout = \"9\"; }\n", 1, False), ("groups { }\n", 1, False),
                               ("stockade { permit = \"any\"; }\n", 0, False),
                               ("groups { group { ip = \"10.99.0.99\"; uuid = \"test\"; } }\n", 0, False)):
            d = lab.virtd(stock=False, groups=more)
            r = lab.ask("off", "test")
            equal(r.rc, rc, f"{more!r}: {r}")
            check(rc == 0 or "not permitted" in r.err, f"{more!r}: {r}")
            said = d.text()[d.log_from:]
            equal(bool(re.search(r" warn\w*: virtd.map .*NO MAP", said)), loud, f"{more!r}: a warning in the log: {said[:400]}")
            checked = lab.run([OUR_VIRTD, "-f", d.conf, "--check"], ns=d.ns)
            equal((checked.rc, "NO MAP" in checked.out), (0, loud), f"{more!r}: --check: {checked}")
            state = json.loads(lab.run([OUR_VIRTD, "--name", f"virtd-{os.path.basename(d.state)}", "--status"], ns=d.ns).out)
            equal(state["listeners"][0]["joined"], ["eth0"], "where the group is joined")
            equal(state["map"].startswith("none"), loud, f"{more!r}: --status: {state}")
            d.stop()


def who_fenced_whom_is_written_down():
    """One JSON line for each act and each refusal, with the caller and the real guest; it outlives the daemon."""
    guests = ["web", "two words", "gr\u00fc\u00df Gott"]
    with Lab() as lab:
        groups = "groups { group { ip = \"10.99.0.99\"; " + " ".join(f'uuid = "{g}";' for g in guests[1:]) + " } }\n"
        d = lab.virtd(stock=False, uri=lab.machines(guests), groups=groups)

        def lines(n):
            """@n acts and refusals, or what is there in the end: they are written when the answer is out."""
            end = time.monotonic() + 20
            while True:
                with open(f"{d.state}/history-virtd.jsonl", encoding="utf-8") as f:
                    found = [x for x in map(json.loads, (x for x in f if x.endswith("\n"))) if x["event"].startswith("virtd.")]
                if len(found) >= n or time.monotonic() > end:
                    return found
                time.sleep(0.05)
        asked = (("off", guests[2], 0, "virtd.fence", "ok"), ("reboot", guests[1], 0, "virtd.fence", "ok"), ("off", guests[0], 1, "virtd.denied", "denied"),
                 ("status", guests[0], 1, "virtd.denied", "denied"))
        for action, plug, rc, _, _ in asked:
            equal(lab.run([STOCK_XVM, "-k", lab.key, "-o", action, "-H", plug]).rc, 3 if rc else 0, f"{action} of {plug}")
        lab.ask("status", guests[1])  # a question that is permitted is no act
        # the stock reboot is one operation
        written = lines(len(asked))
        got = [(x["event"], x["op"], x["target"], x["guest"], x["result"]) for x in written]
        equal(got, [(event, action, plug, plug, result) for action, plug, _, event, result in asked], "the history")
        for x in written:
            equal((x["caller"], x["source"], x["listener"], x["mapped"]), ("10.99.0.99", "10.99.0.99", "multicast", True), f"{x}")
        check(written[0]["uuid"].endswith("000000000003"), f"the guest's uuid: {written[0]}")
        d.stop(signal.SIGKILL)
        d.start()
        lab.daemons.append(d)
        equal(lab.ask("on", guests[2], agent=OUR_XVM).rc, 0, "on after a restart")
        equal([x["op"] for x in lines(len(asked) + 1)], [action for action, *_ in asked] + ["on"], "lines after a restart")


def transient_guest_comes_back_from_a_reboot():
    """It is gone when it is off, which is no state (SAFE-3); a reboot, by ours off and then on, makes it again; what was never here is unknown."""
    for agent in (STOCK_XVM, OUR_XVM):
        with Lab() as lab:
            lab.virtd(stock=False, uri=[lab.machines(["t"], name="n1", more="<test:transient/>"), lab.machines(["u", "v"], name="n2")])

            def rc(action, plug="t"):
                return lab.ask(action, plug, agent=agent).rc
            equal([rc(a) for a in ("status", "reboot", "status")], [0, 0, 0], f"reboot by {agent}")
            equal([rc(a) for a in ("reboot", "status")], [0, 0], f"once more by {agent}")
            equal([rc(a) for a in ("off", "status", "off")], [0, 1, 1], f"off, status, off by {agent}")
            equal([rc(a, "never") for a in ("on", "reboot")], [1, 1], f"a guest that never was, by {agent}")


def odd_states_are_on_until_they_are_off():
    """Blocked, paused, shutting down, crashed, suspended: each may go on, so each is on, in status and list, and off destroys it."""
    for number in (2, 3, 4, 6, 7):
        with Lab() as lab:
            lab.virtd(stock=False, uri=lab.machines(["g"], more=f"<test:runstate>{number}</test:runstate>"))
            r = lab.ask("list-status")
            check("g," in r.out and r.out.rstrip().endswith(",ON"), f"state {number}: {r}")
            equal([lab.ask(a, "g").rc for a in ("status", "off", "status", "off", "on", "status", "reboot", "status")], [0, 0, 2, 0, 0, 0, 0, 0],
                  f"state {number}: status, off, status, off, on, status, reboot, status")
