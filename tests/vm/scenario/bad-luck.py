# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in real life gets one clear reason, nothing stays half-started, and it goes on once the cause is gone."""
import time

import lab as L
from cluster import VIP, Cluster


def enable(t, c, words, node=1):
    """`service enable web` must fail and name @words; afterwards nothing of the service is active anywhere."""
    res = c.stockade(node, "service", "enable", "web", check=False, timeout=120)
    t.check(res.code != 0, f"service enable fails: {res.out}")
    text = " ".join((res.out + res.err + c.stockade(node, "why", "web", check=False).out).split())
    for word in words:
        t.check(word in text, f"the reason names {word!r}: {text[-600:]}")
    half = lambda: [n.name for n in c.lab.nodes.values() if n.sh(  # noqa: E731
        f"grep ' /var/www/html ' /proc/mounts; ip -br addr | grep {VIP}; systemctl is-active -q apache2 && echo apache",
        check=False).out]
    t.until(lambda: not half(), 30, "nothing is half-started", 0.5)


def good(t, c, what):
    """It works again, by the command that `why` names; then it is stopped for the next case."""
    c.command(1, "service", "enable", "web", timeout=120)
    t.until(lambda: c.service(1).get("state") == "running", 60, f"{what}: the service runs again", 0.5)
    c.command(1, "service", "disable", "web", timeout=120)


def play(t):
    c = Cluster(t, clients=False)
    one, two = c.lab.node(1), c.lab.node(2)
    c.command(1, "service", "disable", "web")

    with t.step("the address is used by somebody else"):
        c.lab.host("ip", "addr", "add", f"{VIP}/24", "dev", "br0")
        enable(t, c, ["in use by", "52:54:00:00:00:ff"])
        c.lab.host("ip", "addr", "del", f"{VIP}/24", "dev", "br0")
        good(t, c, "address free")

    with t.step("a process keeps the mount point's file system busy: the stop still succeeds, and says so"):
        c.command(1, "service", "enable", "web")
        here = c.service(1)["node"]
        c.lab.node(here).sh("cd /var/www/html && setsid sleep 600 </dev/null >/dev/null 2>&1 &")
        c.command(1, "service", "disable", "web", timeout=120)
        t.equal(c.lab.node(here).sh("grep ' /var/www/html ' /proc/mounts", check=False).out, "", f"mounts of {here}")

    with t.step("the target is down"):
        for node in (one, two):
            node.sh("iscsiadm -m node --logout", check=False)
        c.lab.control("stop", "tgtd")
        enable(t, c, [L.TARGET, "198.51.100.1:3260"])
        c.lab.target_up()
        good(t, c, "target up")

    with t.step("the volume group is missing"):
        node = c.lab.node(1)
        node.sh(f"iscsiadm -m node -T {L.TARGET} --login; sleep 1; vgrename -q {L.VG} other", check=False)
        enable(t, c, [L.VG])
        node.sh(f"iscsiadm -m node -T {L.TARGET} --login; sleep 1; vgrename -q other {L.VG}", check=False)
        good(t, c, "volume group back")

    with t.step("the two nodes have different configurations"):
        text = two.get("/etc/stockade/stockade.yaml").decode()
        two.put("/etc/stockade/stockade.yaml", text.replace("failback: false", "failback: true"))
        two.run("systemctl", "restart", "stockade.target", "stockade-fenced", "stockade-dlmd", "stockade-storaged", timeout=120)
        t.until(lambda: c.stockade(1, "check", check=False).code != 0, 60, "stockade check on node1 sees it", 1)
        out = c.stockade(1, "check", check=False).out
        t.check("differ" in out or "another configuration" in out, f"stockade check names the difference: {out[-600:]}")
        two.put("/etc/stockade/stockade.yaml", text)
        two.run("systemctl", "restart", "stockade-fenced", "stockade-dlmd", "stockade-storaged", timeout=120)
        t.until(lambda: c.stockade(1, "check", check=False).code == 0, 90, "stockade check is content again", 1)

    with t.step("a configuration that cannot be used: each daemon says so once, with its place, and nothing else happens"):
        at, since = time.monotonic(), two.sh("date +%s").out.strip()
        two.put("/etc/stockade/stockade.yaml", text.replace("detect:", "detekt:"))
        daemons = [f"stockade-{d}" for d in ("fenced", "dlmd", "storaged")]
        two.run("systemctl", "restart", "stockade.target", *daemons, check=False, timeout=120)
        t.until(lambda: two.run("systemctl", "is-active", *daemons, check=False).out.split() == ["failed"] * 3, 20, "all three have failed", 1)
        time.sleep(2)
        said = two.sh(f"journalctl -q -o cat --since @{since} -u 'stockade-*' | grep -A3 stockade.yaml: || :").out
        t.equal(said.count("stockade.yaml:2:1: error:"), 3, f"errors in the journal, one of each daemon: {said}")
        t.check("detect" in said, f"the nearest key is named: {said}")
        t.equal([e for e in c.lab.events() if e["mono"] > at], [], "what libvirt saw of the nodes")
        two.put("/etc/stockade/stockade.yaml", text)
        two.run("systemctl", "start", "stockade.target", timeout=120)
        t.until(lambda: c.stockade(1, "check", check=False).code == 0, 90, "stockade check is content again", 1)

    with t.step("corosync.conf disagrees with the configuration"):
        conf = one.get("/etc/corosync/corosync.conf").decode()
        one.put("/etc/corosync/corosync.conf", conf.replace("cluster_name: lab", "cluster_name: other").replace(
            "token: 1268", "token: 9000"))
        res = c.stockade(1, "check", check=False)
        t.check(res.code != 0 and "corosync.conf" in res.out and "token" in res.out, f"stockade check names it: {res.out[-600:]}")
        one.put("/etc/corosync/corosync.conf", conf)

    with t.step("keys that others can read, an agent that does not exist"):
        one.run("chmod", "644", L.FENCE_KEY)
        res = c.stockade(1, "check", check=False)
        t.check(res.code != 0 and L.FENCE_KEY in res.out, f"stockade check names the key file: {res.out[-600:]}")
        one.run("chmod", "600", L.FENCE_KEY)
        one.put("/tmp/bad.yaml", one.get("/etc/stockade/stockade.yaml").decode().replace("agent: fence_xvm", "agent: fence_nosuch"))
        res = c.stockade(1, "--config", "/tmp/bad.yaml", "check", check=False)
        t.check(res.code != 0 and "fence_nosuch" in res.out + res.err, f"stockade check names the agent: {(res.out + res.err)[-600:]}")

    good(t, c, "after all that")

    with t.step("corosync is restarted under a running service: it moves in order, nobody is fenced"):
        c.command(1, "service", "enable", "web", timeout=120)
        c.wait_running()
        here = int(c.service(1)["node"].removeprefix("node"))
        at = time.monotonic()
        c.stockade(here, "status", check=False)
        c.lab.node(here).run("systemctl", "restart", "corosync", timeout=180)
        c.wait_running(by=here, timeout=120)
        c.wait_running(on=f"node{3 - here}", by=3 - here, timeout=30)
        t.equal([e for e in c.lab.events() if e["mono"] > at], [], "what libvirt saw of the nodes")
        t.until(lambda: c.stockade(here, "check", check=False).code == 0, 60, "stockade check is content again", 1)
        c.command(1, "service", "disable", "web", timeout=120)
    time.sleep(0.5)
    c.wire.stop()
