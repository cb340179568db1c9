# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence, asked on one node, names for every node its own broken hop to one hypervisor, and what to do there.

Method: three nodes with fence_xvm as second level, stockade-virtd on their switch; one node is whole, one drops the call-back, one has
another key; then the daemon goes away. Then the stock daemon, which says nothing to another key: what no node can tell alone is told by
comparing them.
"""
import json
import os
import signal
import subprocess

from cluster import DOCTOR, Cluster
from guest import hosts
from scene import built, until

KEY = "/etc/cluster/fence_xvm.key"
FIREWALL = "table inet row {\n chain input {\n  type filter hook input priority 0; policy accept;\n  tcp dport 1229 drop\n }\n}\n"


FROM_N2 = "table inet row {\n chain input {\n  type filter hook input priority 0; policy accept;\n  ip saddr 10.77.0.2 udp dport 1229 drop\n }\n}\n"


def virtd(c, program=hosts.OUR_VIRTD, more=()):
    """On the switch, which is where the nodes' host is: 10.77.0.254, its bridge br0."""
    top, sw = c.lab.dir, c.lab.status()["sw"]
    names = "".join(f"<domain type='test'><name>n{k}</name><uuid>{hosts.uuid_of(k)}</uuid><memory>1024</memory><os><type>hvm</type></os>"
                    "</domain>" for k in c.nodes)
    for name, text in (("host.xml", f"<node>{names}</node>"), ("host.key", hosts.KEY.decode()), ("host.conf", (
            'fence_virtd { listener = "multicast"; backend = "libvirt"; }\n'
            f'listeners {{ multicast {{ key_file = "{top}/host.key"; interface = "br0"; }} }}\n'
            f'backends {{ libvirt {{ uri = "test://{top}/host.xml"; }} }}\nstockade {{ permit = "any"; }}\n'))):
        with open(f"{top}/{name}", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(f"{top}/{name}", 0o600)
    with open(f"{top}/host.log", "wb") as log:
        return subprocess.Popen(["ip", "netns", "exec", sw, "setpriv", "--pdeathsig", "KILL", program, "-F", "-f", f"{top}/host.conf",
                                 "-p", f"{top}/host.pid", *more],
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def play(t):
    fence = {k: f"[{{switch: n{k}}}, {{vm: n{k}}}]" for k in (1, 2, 3)}
    with Cluster(t, nodes=3, serve=False, fence=fence, devices=(f"vm: {{agent: {hosts.OUR_XVM}, key_file: {KEY}}}",)) as c:
        for k in c.nodes:
            c.lab.put(k, KEY, hosts.KEY.decode(), 0o600)
        daemon = virtd(c, more=("--state-dir", f"{c.lab.dir}/host", "--name", f"virtd-{c.lab.id}"))
        try:
            c.wait_ready()

            def ask(k):
                env = f"STOCKADE_LIBEXECDIR={os.path.dirname(built(DOCTOR))}"
                r = c.lab.exec(k, "env", env, built("tools/stockade"), "doctor", "fence", "--json", timeout=90)
                said = json.loads(r.out)
                return r.rc, {(n["node"], w["node"], w["device"]): w for n in said["nodes"] for w in n["checks"]}

            def causes(ways, device):
                return {(a, b): w["cause"] for (a, b, d), w in ways.items() if d == device}

            every = {(f"n{a}", f"n{b}"): "ok" for a in c.nodes for b in c.nodes if a != b}
            until(lambda: causes(ask(1)[1], "vm") == every, "every way to be whole", 30, 0.5)

            r = c.lab.exec(2, "nft", "-f", "-", stdin=FIREWALL)
            t.equal(r.rc, 0, f"n2's firewall: {r}")
            c.lab.put(3, KEY, "another key altogether", 0o600)
            rc, ways = ask(3)
            t.equal(rc, 1, "exit code")
            want = {way: {"n1": "ok", "n2": "firewall-tcp-back-here", "n3": "wrong-key"}[way[0]] for way in every}
            t.equal(causes(ways, "vm"), want, "each node's own hop")
            t.equal(causes(ways, "switch"), every, "the other level is whole")
            here = ways["n2", "n1", "vm"]
            t.check("(on n2)" in here["remedy"][0] and "10.77.0.254" in here["text"], f"what to do, and where: {here}")
            t.check(all(w["level"] == (2 if d == "vm" else 1) for (_, _, d), w in ways.items()), "levels")

            daemon.send_signal(signal.SIGTERM)
            daemon.wait()
            ways = ask(2)[1]
            t.check(set(causes(ways, "vm").values()) == {"no-daemon"}, f"nobody is there: {causes(ways, 'vm')}")
            t.equal(c.offs(), [], "nobody was fenced")
            t.say("n1 whole, n2 behind its firewall, n3 with another key, each named; and no-daemon by all three")

            if not os.access(hosts.STOCK_VIRTD, os.X_OK):
                t.say("the stock fence_virtd is not installed: its part was left out")
                return
            sw = c.lab.status()["sw"]
            daemon = virtd(c, hosts.STOCK_VIRTD)
            until(lambda: ":1229 " in hosts.sh("ip", "netns", "exec", sw, "ss", "-Hlnu"), "the stock daemon to listen", 20, 0.1)
            t.equal(c.lab.exec(2, "nft", "delete", "table", "inet", "row").rc, 0, "n2's firewall is taken away")
            subprocess.run(["ip", "netns", "exec", sw, "nft", "-f", "-"], input=FROM_N2, text=True, check=True)
            for k in c.nodes:
                c.lab.exec(k, "rm", "-rf", "/run/stockade/doctor")  # who answered before was another
            ways = ask(1)[1]
            got = causes(ways, "vm")
            t.equal((got["n1", "n2"], got["n1", "n3"]), ("ok", "ok"), f"n1: {got}")
            t.equal((got["n2", "n3"], got["n3", "n2"]), ("firewall-udp", "wrong-key"), f"by comparison with n1: {got}")
            t.equal((got["n2", "n1"], got["n3", "n1"]), ("no-answer", "no-answer"), f"with nobody to compare with about that guest: {got}")
            words = " ".join(ways["n3", "n1", "vm"]["seen"]), " ".join(ways["n2", "n1", "vm"]["seen"])
            t.check("whose key is another" in words[0] and "whose key is the same" in words[1], f"what is known of others: {words}")
            t.say("stock daemon: n2 behind a firewall and n3 with another key are told apart by n1's key")
        finally:
            daemon.kill()
            daemon.wait()

