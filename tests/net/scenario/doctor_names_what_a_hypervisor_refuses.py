# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence --local tells a map, an interface, a bridge that forgot, and a libvirtd that is away apart.

Method: as doctor_names_the_hop_to_a_hypervisor, with the hypervisor itself set up otherwise in each row.
"""
import json
import shutil
import signal
import time

from guest import Guest, Rows, hosts, libvirts
from scene import Skip, until


def igmp_query(lab, where, iface, address, seconds):
    """One membership query, as of a router that then dies: bridges believe in it for minutes (RFC 3376 8.5). It says that it asks every @seconds."""
    code = ("import socket, struct\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 2)\n"
            f"s.setsockopt(socket.SOL_SOCKET, 25, b'{iface}')\n"
            "s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)\n"
            f"s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('{address}'))\n"
            f"q = struct.pack('!BBHIBBH', 0x11, 1, 0, 0, 2, {seconds}, 0)\n"
            "n = sum(struct.unpack('!6H', q))\n"
            "s.sendto(q[:2] + struct.pack('!H', 0xffff - (n & 0xffff) - (n >> 16)) + q[4:], ('224.0.0.1', 0))\n")
    hosts.sh("ip", "netns", "exec", where, "python3", "-c", code)


def joined(lab):
    """Does the hypervisor's bridge know that its own host listens to the group?"""
    return "grp 225.0.0.12" in lab.host_run("bridge", "mdb", "show", "dev", "br0")


def play(t):
    if not shutil.which("nft"):
        raise Skip("nft is not installed")
    rows = Rows(t)
    row = rows.row

    # the map, an interface that is not the guest's, and a bridge that forgot
    with Guest() as lab:
        uri = lab.machines(["n1", "n2"])
        d = lab.virtd(stock=False, uri=uri, groups='groups { group { ip = "10.99.0.98"; uuid = "n2"; } }\n')
        row(lab, "not-mapped")
        d.stop()
        lab.eth1(lab.hosts[0], "10.97.0.1/24")
        lab.conf(device=', hypervisors: "10.99.0.1"')
        d = lab.virtd(stock=False, uri=uri, interface="eth1")
        got = row(lab, "wrong-interface")
        t.check("eth1" in got["text"] and "eth0" in json.dumps(got["remedy"]), f"both interfaces: {got}")
        d.stop()

        # the hypervisor's address moves to a bridge that its port is in, as on a host of guests; it snoops, and its querier dies
        lab.host_run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "0",
                     "mcast_membership_interval", "360000", "mcast_startup_query_count", "0")
        lab.host_run("ip", "addr", "flush", "dev", "eth0")
        lab.host_run("ip", "link", "set", "eth0", "master", "br0")
        lab.host_run("ip", "addr", "add", "10.99.0.1/24", "dev", "br0")
        lab.host_run("ip", "link", "set", "br0", "up")
        until(lambda: "state forwarding" in lab.host_run("bridge", "link", "show", "dev", "eth0"), "the bridge's port to forward", 10, 0.05)
        d = lab.virtd(stock=False, uri=uri, interface="br0")
        until(lambda: joined(lab), "the bridge to know who listens", 10, 0.05)
        row(lab, "ok")
        igmp_query(lab, lab.guest, "eth0", "10.99.0.99", seconds=120)
        row(lab, "ok")
        igmp_query(lab, lab.guest, "eth0", "10.99.0.99", seconds=1)
        time.sleep(8)  # no other comes, and by its own word there should have been several
        got = row(lab, "igmp-snooping-soon")
        t.check("br0" in got["text"] and "br0" in got["remedy"][0], f"the bridge is named: {got}")
        lab.host_run("ip", "link", "set", "br0", "type", "bridge", "mcast_membership_interval", "100")
        igmp_query(lab, lab.guest, "eth0", "10.99.0.99", seconds=1)
        until(lambda: not joined(lab), "the bridge to forget who listens", 20, 0.1)
        got = row(lab, "igmp-snooping")
        t.check("br0" in json.dumps(got["remedy"]) and any("multicast_snooping 1, multicast_querier 0" in s for s in got["seen"]),
                f"the bridge is named: {got}")
        lab.host_run("ip", "link", "set", "br0", "type", "bridge", "mcast_snooping", "0")
        row(lab, "ok")
        d.stop()

    # the same by IPv6
    with Guest() as lab:
        d = lab.virtd(stock=False, uri=lab.machines(["n1", "n2"]), family="ipv6")
        lab.conf(device=", ip_family: ipv6")
        row(lab, "ok")
        for _, got in rows.dropped(
                lab,
                ("firewall-tcp-back-here", lab.guest, "input tcp dport 1229 drop"),
                ("multicast-lost", lab.hosts[0], "input ip6 daddr ff05::3:1 drop"),
                ("firewall-udp", lab.hosts[0], "input udp dport 1229 drop")):
            t.check("fd99::1" in json.dumps(got), f"who: {got}")
        d.stop()
        row(lab, "no-daemon")

    # libvirtd away
    if shutil.which("libvirtd"):
        with Guest() as lab:
            lv = libvirts.Libvirtd(lab)
            try:
                lab.conf(plug="test")
                d = lab.virtd(stock=False, uri=f"test+unix:///default?socket={lv.path}")
                row(lab, "ok")
                lv.signal(signal.SIGKILL)
                until(lambda: "state=down" in d.text(), "the daemon to see it", 30, 0.05)
                row(lab, "libvirt-down")
                d.stop()
            finally:
                lv.stop()

    rows.say()
