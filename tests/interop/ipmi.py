# SPDX-License-Identifier: GPL-3.0-or-later
"""fence_ipmilan with BMCs: openipmi's ipmi_sim (cipher suite 3) and our test_bmc (17 and 3, with planned faults), whose independent
client is ipmitool. Everything on the loopback of a network namespace without any other device.
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from lab import BUILD, Result, check, equal, sh

CLAIMS = ("ipmitool_finds_the_test_bmc_as_it_should_be", "ipmilan_does_every_action", "ipmilan_with_ipmi_sim",
          "ipmilan_says_what_is_wrong", "ipmilan_is_not_fooled", "ipmilan_survives_losses", "ipmilan_waits_have_an_end",
          "ipmilan_hides_the_password")
AGENT = os.path.join(BUILD, "fence_agents/ipmilan/fence_ipmilan")
BMC = os.path.join(BUILD, "tests/bmc/test_bmc")
PORT = 9623


class Bmc:
    """A namespace with a BMC in it: ours with @faults, or ipmi_sim."""

    made = 0

    def __init__(self, *options, sim=False):
        Bmc.made += 1
        self.ns, self.options, self.sim, self.proc = f"bmc{os.getpid()}n{Bmc.made}", options, sim, None
        self.dir = tempfile.mkdtemp(prefix="stockade-bmc.")

    def __enter__(self):
        try:
            sh("ip", "netns", "add", self.ns)
            sh("ip", "-n", self.ns, "link", "set", "lo", "up")
            self.set("on")
            argv = self.sim_files() if self.sim else [BMC, "--port", str(PORT), "--state", f"{self.dir}/state", "--log",
                                                      f"{self.dir}/log", *self.options]
            self.proc = subprocess.Popen(["ip", "netns", "exec", self.ns, *argv], stdin=subprocess.DEVNULL, cwd=self.dir,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if not self.sim:
                equal(self.proc.stdout.readline(), "ready\n", "the BMC's first word")
            else:
                end = time.monotonic() + 20
                while self.tool("power", "status", suite=3).rc != 0:
                    check(time.monotonic() < end, "ipmi_sim does not answer ipmitool")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.proc:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
            self.proc.stdout.close()
        subprocess.run(["ip", "netns", "del", self.ns], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def sim_files(self):
        os.mkdir(f"{self.dir}/keep")
        with open(f"{self.dir}/chassis.sh", "w", encoding="ascii") as f:
            f.write(f"""#!/bin/sh
case "$2 $3" in
"get power") read -r is <{self.dir}/state; [ "$is" = on ] && echo power:1 || echo power:0 ;;
"set power") [ "$4" = 1 ] && echo on >{self.dir}/state || echo off >{self.dir}/state; echo "power $4" >>{self.dir}/log ;;
esac
""")
        os.chmod(f"{self.dir}/chassis.sh", 0o755)
        with open(f"{self.dir}/lan.conf", "w", encoding="ascii") as f:
            f.write(f"""name "sim"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {PORT}
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{self.dir}/chassis.sh 0x20"
  user 2 true "admin" "fxpass" admin 10
  user 3 true "ro" "fxro" user 10
""")
        with open(f"{self.dir}/sim.emu", "w", encoding="ascii") as f:
            f.write("mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n"
                    "sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n")
        return ["ipmi_sim", "-c", f"{self.dir}/lan.conf", "-f", f"{self.dir}/sim.emu", "-s", f"{self.dir}/keep", "-n", "-d"]

    # -- what is true, and what was asked

    def set(self, to):
        with open(f"{self.dir}/state", "w", encoding="ascii") as f:
            f.write(to + "\n")

    def state(self):
        with open(f"{self.dir}/state", encoding="ascii") as f:
            return f.read().strip()

    def log(self):
        try:
            with open(f"{self.dir}/log", encoding="ascii") as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    # -- clients

    def run(self, argv, stdin="", env=None):
        t0 = time.monotonic()
        r = subprocess.run(["ip", "netns", "exec", self.ns, *argv], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=90, check=False, env=dict(os.environ, **(env or {})))
        return Result(r.returncode, r.stdout, r.stderr, time.monotonic() - t0)

    def tool(self, *words, suite=17, password="fxpass"):
        return self.run(["ipmitool", "-I", "lanplus", "-H", "127.0.0.1", "-p", str(PORT), "-U", "admin", "-E", "-C", str(suite), "chassis",
                         *words], env={"IPMI_PASSWORD": password})

    def ask(self, action, **params):
        lines = dict(ip="127.0.0.1", ipport=PORT, username="admin", password="fxpass", action=action)
        lines.update(params)
        return self.run([AGENT], stdin="".join(f"{k}={v}\n" for k, v in lines.items()))

    def expect(self, action, rc, words="", **params):
        r = self.ask(action, **params)
        equal(r.rc, rc, f"{action} {params}: {r}")
        check(words in r.out + r.err, f"{action} {params} says {words!r}: {r}")
        if rc == 1:
            equal(len(r.err.strip().splitlines()), 1, f"one line on stderr: {r}")
        return r


def ipmitool_finds_the_test_bmc_as_it_should_be():
    for suite in (17, 3):
        with Bmc() as b:
            for words, state in ((("power", "off"), "off"), (("power", "on"), "on"), (("power", "reset"), "on")):
                r = b.tool(*words, suite=suite)
                equal((r.rc, b.state()), (0, state), f"ipmitool -C {suite} {words}: {r}")
            check("is on" in b.tool("power", "status", suite=suite).out, "ipmitool reads on")
            check(b.tool("power", "status", suite=suite, password="wrong").rc != 0, "ipmitool with a wrong password")


def ipmilan_does_every_action():
    for suite in (17, 3):
        with Bmc() as b:
            b.expect("status", 0, "Status: ON", cipher=suite)
            b.expect("off", 0, cipher=suite)
            equal(b.state(), "off", "the chassis")
            b.expect("status", 2, "Status: OFF", cipher=suite)
            b.expect("on", 0, cipher=suite)
            equal(b.state(), "on", "the chassis")
            b.expect("reboot", 0, cipher=suite)
            equal([w for w in b.log()[-6:] if w in ("off", "on")], ["off", "on"], f"a reboot is off, then on: {b.log()}")
            b.expect("reboot", 0, cipher=suite, method="cycle")
            check("cycle" in b.log(), "method=cycle is the BMC's own")
            b.expect("monitor", 0, cipher=suite)
            b.expect("diag", 0, cipher=suite)
            check("diag" in b.log(), "the interrupt was sent")
            b.expect("off", 0, cipher=suite)
            b.expect("reboot", 0, cipher=suite, method="cycle")
            equal(b.state(), "on", "a cycle of a chassis that is off puts it on")


def ipmilan_with_ipmi_sim():
    with Bmc(sim=True) as b:
        b.expect("status", 1, "cipher=3")  # it has no suite 17
        b.expect("status", 0, cipher=3)
        b.expect("off", 0, cipher=3)
        equal(b.state(), "off", "the chassis")
        b.expect("status", 2, cipher=3)
        b.expect("reboot", 0, cipher=3)
        equal(b.state(), "on", "the chassis")
        b.expect("reboot", 0, cipher=3, method="cycle")
        equal(b.state(), "on", "the chassis after its own cycle")
        check("power 0" in b.log(), f"it was off: {b.log()}")
        b.expect("status", 1, "wrong password", cipher=3, password="nope")
        # it grants whatever is asked for, and holds one to that
        b.expect("off", 1, "0xd4", cipher=3, username="ro", password="fxro", privlvl="user", power_timeout=1)
        equal(b.state(), "on", "who has no rights changes nothing")


def ipmilan_says_what_is_wrong():
    with Bmc() as b:
        b.expect("status", 1, "wrong password", password="nope")
        b.expect("status", 1, "no such user", username="nobody")
        b.expect("status", 1, "longer than IPMI's 20 bytes", password="x" * 21)
        b.expect("status", 1, "hexadecimal", hexadecimal_kg="xyz")
        b.expect("status", 1, "no answer", ipport=PORT + 1, login_timeout=1, shell_timeout=1)
        b.expect("status", 1, "cipher", cipher=0)
        b.expect("off", 1, "bridged", target="0x20")
    with Bmc("--suites", "3") as b:
        b.expect("status", 1, "cipher=3")
    with Bmc("--level", "user") as b:
        b.expect("off", 1, "operator")
        b.expect("status", 0, privlvl="user")
        b.expect("off", 1, "completion code 0xd4", privlvl="user", power_timeout=1)
        equal(b.state(), "on", "the chassis")
    with Bmc("--fault", "refuse=0xc0") as b:
        b.expect("off", 1, power_timeout=1)


def ipmilan_is_not_fooled():
    with Bmc("--fault", "lie") as b:
        b.expect("off", 1, "still on", power_timeout=2)
        check("off" in b.log(), "it was asked")
        b.expect("reboot", 1, "still on", power_timeout=2)
        b.expect("reboot", 1, "nobody saw it off", method="cycle", power_timeout=2)
        check("cycle" in b.log(), "that, too")
        b.set("off")
        b.expect("on", 1, "still off", power_timeout=1)
    with Bmc("--fault", "slow=1500") as b:
        r = b.expect("off", 0)
        check(r.took >= 1.4, f"done only when it is off: {r}")
        equal(b.state(), "off", "the chassis")
    with Bmc("--fault", "no-status=0xc0") as b:
        b.expect("status", 1)
        b.expect("off", 1, power_timeout=1)
    with Bmc("--fault", "downgrade") as b:
        b.expect("status", 1, "another cipher suite")
    with Bmc("--fault", "dies-with-power") as b:  # off, and nobody can say so: unknown, never off (SAFE-3)
        b.expect("off", 1, power_timeout=1, login_timeout=1, shell_timeout=1)


def ipmilan_survives_losses():
    with Bmc("--fault", "lose=3") as b:
        b.expect("off", 0, login_timeout=15)
        equal(b.state(), "off", "the chassis")
    with Bmc("--fault", "forget=300") as b:  # the session is gone when the state is read back
        b.expect("off", 0, power_wait=1)


def ipmilan_waits_have_an_end():
    with Bmc("--fault", "deaf") as b:
        r = b.expect("off", 1, "no answer", login_timeout=2, shell_timeout=1)
        check(r.took < 10, f"an end to waiting for a dead BMC: {r}")
    with Bmc("--fault", "deaf-in-session=2") as b:
        r = b.expect("off", 1, power_timeout=2, login_timeout=2, shell_timeout=1)
        check(r.took < 25, f"an end to waiting in a session: {r}")


def ipmilan_hides_the_password():
    """Not in an argument of any process while it waits, nor in what it prints."""
    with Bmc("--fault", "deaf") as b:
        p = subprocess.Popen(["ip", "netns", "exec", b.ns, AGENT, "-a", "127.0.0.1", "-u", str(PORT), "-l", "admin", "-p", "verysecret", "-o",
                              "status", "-v", "--login-timeout", "2"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
        time.sleep(0.7)
        with open(f"/proc/{p.pid}/cmdline", "rb") as f:
            shown = f.read()
        said = p.communicate(timeout=60)[0]
        check(b"fence_ipmilan" in shown and b"verysecret" not in shown, f"the command line is wiped: {shown}")
        check("verysecret" not in said, f"nothing it says has it: {said}")
