# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade-virtd as the unit that it is packaged as, under a real systemd: confined, reaching libvirt, answering over multicast, vsock, a serial line.

One guest. First it is a guest: the stock client and ours ask over its serial line (and ours over its virtio port), our
daemon and the stock one answer on the host. Then it plays the hypervisor: libvirtd with the test driver behind its real
socket (root:libvirt), and stockade-virtd.service as it is packaged; the stock client and ours ask over multicast and vsock.
"""
import os
import re
import subprocess

import cluster
import lab as L

UUID = "00000000-0000-4000-8000-000000000001"     # of node1 (lab.py)
KEY = "/etc/cluster/fence_xvm.key"
EXPOSURE_MAX = 2.0                                 # systemd-analyze security: 0 (confined) to 10
# What a hypervisor has and the laboratory's guests have not.
PROGRAMS = ["/usr/sbin/libvirtd", "/usr/sbin/fence_virtd"]
MODULES = ["/usr/lib/x86_64-linux-gnu/libvirt/connection-driver", "/usr/lib/x86_64-linux-gnu/fence-virt"]
DEVICES = """
    <serial type='unix'><source mode='bind' path='{dir}/line/{name}'/><target port='1'/></serial>
    <channel type='unix'><source mode='bind' path='{dir}/wire/{name}'/><target type='virtio' name='org.stockade.fence'/></channel>"""


def ours_client():
    """Where the build installs agents of ours."""
    stage = cluster.stage()
    return next(f"{top.removeprefix(stage)}/fence_xvm" for top, _, names in os.walk(stage)
                if top.endswith("/agents") and "fence_xvm" in names)


def conf(listener, settings, uri, who, stock=False):
    """A file for either daemon: one listener, and the map in our default-deny."""
    groups = f'groups {{ group {{ {who} }} }}\n'
    return (f'fence_virtd {{ listener = "{listener}"; backend = "libvirt"; }}\nlisteners {{ {listener} {{ {settings} }} }}\n'
            f'backends {{ libvirt {{ uri = "{uri}"; }} }}\n{groups}' + ("" if stock else 'stockade { acts_per_minute = "1000"; }\n'))


def answers(t, node, way, target="test"):
    """Both clients over the same way: what it says is true, what is not permitted is refused."""
    clients = {"stock": way["stock"], "ours": None}
    for name, argv in clients.items():
        def ask(action, plug):
            if argv:
                return node.run(*argv, "-o", action, *(["-H", plug] if plug else []), check=False, timeout=90)
            stdin = "".join(f"{k}={v}\n" for k, v in {"action": action, **({"port": plug} if plug else {}), **way["ours"]}.items())
            return node.run(ours_client(), stdin=stdin, check=False, timeout=90)
        r = ask("status", target)
        t.equal(r.code, 0, f"{name}: status of {target}: {r.out}{r.err}")
        r = ask("status", "somebody-else")
        t.check(r.code not in (0, 2), f"{name}: a guest that no line permits is neither on nor off: {r.code} {r.out}{r.err}")
        r = ask("list", None)
        t.check(r.code == 0 and target in r.out, f"{name}: list: {r.code} {r.out}{r.err}")


def lines(t, lab, node):
    """The serial line and the virtio port of a real guest."""
    host = f"uuid = \"{UUID}\"; uuid = \"node1\";"
    key = f'key_file = "{lab.dir}/fence_xvm.key";'
    ours = {"serial_device": "/dev/ttyS1", "timeout": "20"}
    stock = ["fence_virt", "-D", "/dev/ttyS1", "-t", "20"]
    for name in ("serial", "vmchannel", "stock"):
        path = "wire" if name == "vmchannel" else "line"
        settings = f'uri = "qemu:///system"; mode = "{"vmchannel" if name == "vmchannel" else "serial"}"; path = "{lab.dir}/{path}"; {key}'
        file = f"{lab.dir}/{name}.conf"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(conf("serial", settings, "qemu:///system", host, stock=name == "stock"))
        argv = (["fence_virtd", "-F", "-f", file, "-p", f"/run/{name}.pid", "-d", "5"] if name == "stock" else
                [L.virtd_of_build(), "-f", file, "--state-dir", f"{lab.dir}/{name}.state", "-d", "1"])
        os.makedirs(f"{lab.dir}/{name}.state", exist_ok=True)
        lab.control("start", name, argv=argv)
        ways = {"serial": {"stock": stock, "ours": ours}, "stock": {"stock": stock, "ours": ours}}
        with t.step(f"{name}: asked from inside of the guest"):
            if name == "vmchannel":          # the stock client knows a channel only as TCP to a guestfwd address
                # what udev would call /dev/virtio-ports/NAME
                port = node.sh("for p in /sys/class/virtio-ports/*; do [ \"$(cat $p/name 2>/dev/null)\" != org.stockade.fence ] || "
                               "echo /dev/${p##*/}; done").out.strip()
                t.check(port, "the guest has the port")
                def status(plug):
                    return node.run(ours_client(), stdin=f"action=status\nport={plug}\nserial_device={port}\ntimeout=20\n", check=False, timeout=60)
                r = status("node1")
                t.equal(r.code, 0, f"our client over a virtio port: {r.out}{r.err}")
                t.check(status("somebody-else").code not in (0, 2), "a guest that no line permits is neither on nor off")
            else:
                t.until(lambda: node.run(*stock, "-o", "status", "-H", "node1", check=False, timeout=60).code == 0, 30,
                        f"the stock client hears {name}", 1)
                answers(t, node, ways[name], "node1")
        lab.control("stop", name)


def become_hypervisor(t, node):
    """libvirtd and the stock daemon, with the libraries that this guest lacks, and the group that its package makes."""
    found = list(PROGRAMS) + [f"{d}/{n}" for d in MODULES for n in sorted(os.listdir(d)) if n.endswith(".so")]
    libs = set()
    for f in found + [L.virtd_of_build()]:
        out = subprocess.run(["ldd", f], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False).stdout
        libs |= set(re.findall(r"=> (/\S+)", out))
    has = set(node.sh("ls /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu").out.split())
    files = []
    for f in found + [x for x in sorted(libs) if os.path.basename(x) not in has]:
        with open(f, "rb") as src:
            dest = f if f in found else "/usr/lib/x86_64-linux-gnu/" + os.path.basename(f)
            files.append((dest, src.read(), 0o755))
    files += [("/etc/libvirt/libvirtd.conf", 'unix_sock_group = "libvirt"\nunix_sock_rw_perms = "0770"\nauth_unix_rw = "none"\n', 0o600),
              ("/etc/libvirt/qemu.conf", 'user = "root"\ngroup = "root"\n', 0o600),
              ("/etc/systemd/system/libvirtd.service", "[Service]\nExecStart=/usr/sbin/libvirtd\n", 0o644)]
    node.put_tree(files)
    node.sh("ldconfig; groupadd -r libvirt; groupadd -r libvirt-qemu; useradd -r -g libvirt-qemu libvirt-qemu; systemctl daemon-reload; systemctl start libvirtd")
    t.until(lambda: node.sh("test -S /run/libvirt/libvirt-sock", check=False).code == 0, 60, "libvirtd runs in the guest")
    t.equal(node.sh("stat -c %G:%a /run/libvirt/libvirt-sock").out.strip(), "libvirt:770", "who may open libvirt's socket")


def confined(t, node):
    pid = node.run("systemctl", "show", "-P", "MainPID", "stockade-virtd").out.strip()
    workers = node.sh(f"pgrep -P {pid}").out.split()
    t.check(workers, "a worker that talks to libvirt")
    for p in [pid] + workers:
        st = dict(line.split(":\t", 1) for line in node.run("cat", f"/proc/{p}/status").out.splitlines() if ":\t" in line)
        t.check(st["Uid"].split()[0] != "0", f"process {p} runs as uid {st['Uid']}")
        t.equal(int(st["CapEff"], 16) & ~(1 << 2), 0, f"capabilities of {p} besides the reading of keys (CAP_DAC_READ_SEARCH)")
        t.equal((st["Seccomp"], st["NoNewPrivs"]), ("2", "1"), f"seccomp filter and no new privileges of {p}")
    user = node.sh(f"ps -o user= -p {pid}").out.strip()
    report = node.run("systemd-analyze", "security", "--no-pager", "stockade-virtd.service", check=False).out
    figure = float(re.search(r"exposure level for stockade-virtd.service: ([0-9.]+)", report).group(1))
    t.say(f"          user {user}, seccomp filter on, systemd-analyze security: {figure}")
    t.check(figure <= EXPOSURE_MAX, f"exposure {figure}, at most {EXPOSURE_MAX}:\n{report}")


def play(t):
    with t.step("one guest, with a serial line and a virtio port more"):
        lab = t.lab(nodes=1, memory_mib=800, fence_virtd=False, devices=DEVICES)
    node = lab.node(1)
    lab.put_build(cluster.stage())
    lines(t, lab, node)

    with t.step("libvirtd and the stock daemon put into the guest"):
        become_hypervisor(t, node)
    node.run("install", "-d", "-m", "700", "/etc/cluster")
    with open(f"{lab.dir}/fence_xvm.key") as f:
        node.put(KEY, f.read(), 0o600)
    uri = "test+unix:///default?socket=/run/libvirt/libvirt-sock"   # (test+unix alone means a session of the user)
    who = 'ip = "192.0.2.11"; ip = "127.0.0.1"; uuid = "test";'
    node.put("/etc/fence_virt.conf", conf("multicast", f'key_file = "{KEY}"; interface = "eth0";', uri, who), 0o600)
    node.run("systemd-sysusers")             # as the package does
    with t.step("stockade-virtd.service started"):
        node.run("systemctl", "start", "stockade-virtd", timeout=60)
    confined(t, node)
    ask = {"stock": ["fence_xvm", "-k", KEY, "-t", "20"], "ours": {"key_file": KEY, "timeout": "20"}}
    with t.step("multicast, through libvirtd's socket"):
        t.until(lambda: node.run(*ask["stock"], "-o", "status", "-H", "test", check=False, timeout=60).code == 0, 40, "the stock client is answered", 1)
        answers(t, node, ask)

        def ours(action):
            return node.run(ours_client(), stdin=f"action={action}\nport=test\nkey_file={KEY}\ntimeout=20\n", check=False, timeout=60).code
        t.equal([ours(a) for a in ("off", "status", "on", "status")], [0, 2, 0, 0], "off, status, on, status")
    with t.step("it comes back from a kill, a reload and a restart of libvirtd"):
        node.sh("systemctl kill -s KILL stockade-virtd")
        t.until(lambda: ours("status") == 0, 40, "answers after a kill", 1)
        node.run("systemctl", "reload", "stockade-virtd")
        node.run("systemctl", "restart", "libvirtd")
        t.until(lambda: ours("status") == 0, 150, "answers after a restart of libvirtd", 1)
        confined(t, node)
        t.check(node.sh("ls -A /var/lib/stockade/virtd").out.strip(), "what it keeps over a restart (acts that were carried out)")

    if node.sh("modprobe vsock_loopback && test -c /dev/vsock", check=False).code != 0:
        t.check(False, "the guest's kernel has no vsock_loopback")
    # Over the loopback of vsock the caller is CID 1.
    vsock = f'key_file = "{KEY}"; port = "1229";'
    node.put("/etc/fence_virt.conf", conf("vsock", vsock, uri, 'ip = "1"; uuid = "test";'), 0o600)
    ask = {"stock": ["fence_virt", "-S2", "-k", KEY, "-t", "20"], "ours": {"vsock": "2", "key_file": KEY, "timeout": "20"}}
    with t.step("vsock, our daemon"):
        node.run("systemctl", "restart", "stockade-virtd", timeout=60)
        t.until(lambda: node.run(*ask["stock"], "-o", "status", "-H", "test", check=False, timeout=60).code == 0, 40, "the stock client is answered", 1)
        answers(t, node, ask)
    with t.step("vsock, the stock daemon"):
        node.run("systemctl", "stop", "stockade-virtd", timeout=60)
        node.put("/root/stock.conf", conf("vsock", vsock, "test:///default", 'ip = "1"; uuid = "test";', stock=True), 0o600)
        node.sh("systemd-run -q --unit=stock-virtd /usr/sbin/fence_virtd -F -f /root/stock.conf -p /run/stock.pid -d 5")
        t.until(lambda: node.run(*ask["stock"], "-o", "status", "-H", "test", check=False, timeout=60).code == 0, 40, "the stock pair works", 1)
        answers(t, node, ask)
