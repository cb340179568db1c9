# SPDX-License-Identifier: GPL-3.0-or-later
"""guest - a guest and its hypervisor in network namespaces, and the doctor in the guest; for scenarios of single hops.

Made of the interop tier's laboratory (tests/interop/lab.py): no cluster runs, so that a row takes as long as the doctor does.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.realpath(f"{os.path.dirname(os.path.abspath(__file__))}/../interop"))
import lab as hosts  # noqa: E402
import virtd as libvirts  # noqa: E402,F401  (for scenarios)
from scene import built  # noqa: E402

DOCTOR = "fence_agents/doctor/stockade-fence-doctor"


class Guest(hosts.Lab):
    """The guest is node n1, and looks at the way by which it would fence n2."""

    def __enter__(self):
        self.write("owner", f"{os.getpid()}\n")  # rooms.reap_guests()
        super().__enter__()
        self.conf()
        return self

    def conf(self, agent=None, device="", plug="n2", key=None):
        text = (f"cluster: lab\ndetect: 3s\nnodes:\n"
                f"  n1: {{id: 1, link0: 10.99.0.99, fence: [{{vm: n1}}]}}\n"
                f"  n2: {{id: 2, link0: 10.99.0.98, fence: [{{vm: {plug}}}]}}\n"
                f"fence_devices:\n  vm: {{agent: {agent or hosts.OUR_XVM}, key_file: {key or self.key}{device}}}\n"
                f"volumes:\n  data: {{file: {self.dir}/disk, mount: {self.dir}/mnt}}\n"
                f"services:\n  rec: {{resources: [{{volume: data}}]}}\n")
        self.yaml = self.write("stockade.yaml", text)

    def guest_run(self, *argv):
        return hosts.sh("ip", "netns", "exec", self.guest, *argv)

    def host_run(self, *argv):
        return hosts.sh("ip", "netns", "exec", self.hosts[0], *argv)

    def eth1(self, where, address):
        """A second interface, that leads nowhere."""
        hosts.sh("ip", "-n", where, "link", "add", "eth1", "type", "veth", "peer", "name", "eth1end")
        hosts.sh("ip", "-n", where, "addr", "add", address, "dev", "eth1")
        hosts.sh("ip", "-n", where, "link", "set", "eth1end", "up")
        hosts.sh("ip", "-n", where, "link", "set", "eth1", "up")

    def rules(self, where, *rules):
        """One nft table for the row: hooks input and output; gone with forget()."""
        text = "table inet row {\n"
        for hook in ("input", "output"):
            text += f"chain {hook} {{ type filter hook {hook} priority 0; policy accept;\n"
            text += "".join(r.split(" ", 1)[1] + "\n" for r in rules if r.split(" ", 1)[0] == hook) + "}\n"
        subprocess.run(["ip", "netns", "exec", where, "nft", "-f", "-"], input=text + "}\n", text=True, check=True)

    def forget(self, where):
        hosts.sh("ip", "netns", "exec", where, "nft", "delete", "table", "inet", "row", check=False)

    def doctor(self, member=False):
        """By the program that fenced runs, with the members it would name; what it said about n2."""
        argv = [built(DOCTOR), "--config", self.yaml, "--node", "n1", "--state", f"{self.dir}/state"]
        r = self.run(argv + (["--member", "n2"] if member else []), timeout=40)
        said = [json.loads(line) for line in r.out.splitlines()]
        hosts.check(r.rc == 0 and len(said) == 2 and said[0] == {"checks": 1}, f"one check and its result: {r}")
        return said[1]

    def doctor_own(self, *before):
        """What it says of this node's own device, named own; @before: words of a command that runs it."""
        r = self.run([*before, built(DOCTOR), "--config", self.yaml, "--node", "n1"], timeout=40)
        return next((g for g in map(json.loads, r.out.splitlines()) if g.get("device") == "own"), {"cause": f"not told: {r}"})

    def stockade(self, *words):
        """By the command, as a person on n1 has it."""
        env = {"STOCKADE_LIBEXECDIR": os.path.dirname(built(DOCTOR))}
        own = 'mount -t tmpfs tmpfs /run && mkdir /run/stockade && hostname n1 && exec "$@"'
        argv = ["unshare", "-u", "-m", "sh", "-c", own, "sh", built("tools/stockade"), "--config", self.yaml, "doctor",
                "fence", "--local", *words]
        return self.run(argv, timeout=60, env=env)


class Rows:
    """What was broken, and what the doctor made of it."""

    def __init__(self, t):
        self.t, self.done = t, []

    def row(self, lab, want, member=False):
        t = self.t
        got = lab.doctor(member)
        self.done.append(f"{want} {got['took_ms'] / 1000:.1f} s")
        t.equal(got["cause"], want, f"cause; {got}")
        t.equal(got["result"], {"ok": "pass", "port-taken": "warn", "igmp-snooping-soon": "warn", "not-checked": "unknown"}.get(want, "fail"), f"{got}")
        t.check(got["text"] and (want == "ok" or got["remedy"]), f"a sentence, and what to do: {got}")
        t.check("{" not in got["text"] + "".join(got["seen"]), f"every name is filled in: {got}")
        t.check("fxpass" not in json.dumps(got), f"no secret is told: {got}")
        t.check(got["took_ms"] < 20000, f"bounded: {got}")
        return got

    def dropped(self, lab, *cases):
        """Rows of a cause, a namespace and its rules, which drop something for that row alone; gives the cause and what was said, one by one."""
        for want, where, *rules in cases:
            lab.rules(where, *rules)
            got = self.row(lab, want)
            lab.forget(where)
            yield want, got

    def say(self):
        self.t.say(f"{len(self.done)} rows: " + ", ".join(self.done))
