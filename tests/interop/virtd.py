# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade-virtd through what its host does to it: keys that change, a libvirtd that hangs, dies and comes back, a worker
process that is killed. The stock fence_xvm asks.
"""
import os
import signal
import subprocess
import threading
import time

from lab import KEY, Lab, STOCK_XVM, check, equal, sh

CLAIMS = ("keys_change_without_a_gap", "libvirtd_that_is_away_is_unknown_and_an_off_outlives_it",
          "killed_worker_process_is_made_anew")


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
