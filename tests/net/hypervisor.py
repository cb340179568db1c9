# SPDX-License-Identifier: GPL-3.0-or-later
"""A hypervisor for the nodes of a laboratory: stockade-virtd on the switch, with libvirt's built-in test driver as its machines."""
import os
import signal
import subprocess
import time

import rooms
from scene import Refuted, built, until

KEY = "attested deaths, for tests only\n"


class Hypervisor:
    """stockade-virtd in the switch's namespace. Its guests n1.. are the nodes; they live in the daemon's own process."""

    def __init__(self, lab, nodes):
        self.lab, self.netns, self.nodes = lab, lab.status()["sw"], range(1, nodes + 1)
        self.dir = f"{lab.dir}/hypervisor"
        os.mkdir(self.dir)
        xml = "".join(f"<domain type='test'><name>n{k}</name><uuid>{rooms.machine_uuid(k)}</uuid><memory>1024</memory>"
                      "<os><type>hvm</type></os></domain>\n" for k in range(1, nodes + 1))
        self.write("machines.xml", f"<node>\n{xml}</node>\n")
        self.write("key", KEY)
        self.proc = None

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(f"{self.dir}/{name}", 0o600)

    def start(self, attest):
        """Anew, all guests on; it fences, and states deaths or not."""
        self.stop()
        self.write("virtd.conf", 'fence_virtd { listener = "multicast"; backend = "libvirt"; }\n'
                   f'listeners {{ multicast {{ key_file = "{self.dir}/key"; interface = "br0"; family = "ipv4"; '
                   'address = "225.0.0.12"; port = "1229"; } }\n'
                   f'backends {{ libvirt {{ uri = "test://{self.dir}/machines.xml"; }} }}\n'
                   f'stockade {{ attest = "{attest}"; }}\ngroups {{ group = "all" {{\n'
                   + "".join(f'ip = "{rooms.addr(k)}"; uuid = "n{k}";\n' for k in self.nodes) + "} }\n")
        with open(f"{self.dir}/log", "ab") as out:
            # it ends with us, whatever happens
            self.proc = subprocess.Popen(
                ["ip", "netns", "exec", self.netns, "setpriv", "--pdeathsig", "KILL", built("stockade-virtd"), "-f",
                 f"{self.dir}/virtd.conf", "-p", f"{self.dir}/pid", "--state-dir", f"{self.dir}/state", "-d", "1",
                 "--name", f"virtd-{os.getpid()}"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def stop(self):
        if self.proc:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.proc = None


def bound(c, nodes, since):
    """Each of these nodes has subscribed since then, and its own life is known to the hypervisor."""
    def one(k):
        said = c.status(k, "fenced").get("attest", [])
        return len(said) == 1 and said[0]["bound"] and said[0]["heard_ms"] < (time.monotonic() - since) * 1000
    return all(one(k) for k in nodes)


def all_ready(c):
    """Every path is known to work by everybody's own look since the hypervisor's daemon is back: whoever dies takes its own along."""
    time.sleep(0.5)
    for k in c.nodes:
        c.ask(k, "fenced", cmd="ready")
    c.wait_ready(seconds=60)

    def looked(k):
        others = {f"n{x}" for x in c.nodes}
        return all(others - {n["name"]} <= set(n["ready_by"]) for n in c.status(k, "fenced").get("nodes", []) if not n["self"])
    until(lambda: all(looked(k) for k in c.nodes), "everybody to have looked at every fence path", 60, 0.1)


def guest(c, by, k, action):
    """fence_xvm of node @by: the guest of node k is destroyed, or started."""
    res = c.lab.exec(by, built("fence_agents/xvm/fence_xvm"), timeout=40,
                     stdin=f"action={action}\nplug=n{k}\nkey_file=/etc/cluster/fence_xvm.key\n")
    if res.rc:
        raise Refuted(f"fence_xvm {action} n{k}: {res.rc} {res.err}")


def start(c):
    for k in c.nodes:
        c.lab.put(k, "/etc/cluster/fence_xvm.key", KEY, 0o600)
        c.lab.boot(k)
    c.prepare()
    c.lab.wait_quorate()
