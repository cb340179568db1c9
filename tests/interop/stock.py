# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the stock daemon, reproduced, and ours beside it, by the same bytes (tests/interop/README.md has the whole table). A
newer stock package may have mended one: then the case says so, and goes on with ours.
"""
import os
import re
import subprocess
import sys
import time

from cases import HERE, wire
from lab import OUR_XVM, STOCK_XVM, Lab, check, equal, sh

CLAIMS = ("truncated_packet_is_no_request", "random_packets_against_both", "old_packet_is_not_carried_out_again",
          "silent_peer_holds_up_nobody", "list_has_no_leftover_bytes", "auth_of_tcp_is_not_its_hash",
          "cpg_backend_off_of_a_stranger_is_no_off", "many_addresses_hide_no_hypervisor", "long_line_is_one_line",
          "defaults_name_one_key", "interface_that_is_made_anew_is_joined_again")
ME = "10.99.0.99"


def told(what, stock, fault):
    print(f"  stock: {what}: {stock}" + ("" if fault else " (not reproduced with this package)"), flush=True)


def both(test, **conf):
    """What @test finds at the stock daemon, and at ours."""
    found = []
    for stock in (True, False):
        with Lab() as lab:
            d = lab.virtd(stock=stock, **conf)
            found.append(test(lab, d))
    return found


def truncated_packet_is_no_request():
    """175 of 176 bytes: the stock daemon takes the missing one from its buffer."""
    stock, ours = both(lambda lab, _: wire(lab, "short", lab.key, ME, "3")["answers"])
    told("answers to requests that lack their last byte", stock, stock)
    equal(ours, [], "answers of ours to requests that lack a byte")


def random_packets_against_both():
    """Cut, lengthened, damaged, random: the stock daemon lives too; neither carries anything out, but for the one above."""
    def noise(lab, d):
        facts = wire(lab, "noise", lab.key, ME, "11")
        return len(facts["answers"]), facts["calls"], d.p.poll() is None, lab.ask("status", "test").rc
    stock, ours = both(noise)
    told("requests carried out, call-backs, alive, status of the guest", stock, True)
    # the one that is signed by the key and names 64 letters is a request, of a guest that nobody has
    check(ours[1] <= 1, f"ours: call-backs: {ours}")
    equal((ours[0], *ours[2:]), (0, True, 0), "ours: carried out, alive, status of the guest")


def old_packet_is_not_carried_out_again():
    """The stock daemon forgets a request after 10 s; an off that was recorded then works a second time."""
    def later(lab, _):
        facts = wire(lab, "later", lab.key, ME, "11")
        equal((facts["first"], facts["on"]), ([0], [0]), "the request itself, and on again")
        return facts["again"], lab.ask("status", "test").rc
    stock, ours = both(later)
    told("an off recorded 11 s ago: answers, status of the guest", stock, stock == ([0], 2))
    equal(ours, ([], 0), "ours: answers to the old off, and the guest is on")


def many_addresses_hide_no_hypervisor():
    """A guest with 300 more addresses, all before the one of the hypervisor's network: the stock client's list of them is cut."""
    with Lab() as lab:
        lab.virtd(stock=True)
        batch = "".join(f"address add 10.50.{i // 250}.{i % 250 + 1}/32 dev lo\n" for i in range(300))
        subprocess.run(["ip", "-n", lab.guest, "-batch", "-"], input=batch, text=True, check=True)
        ours = lab.run([OUR_XVM, "-o", "status", "-H", "test", "-k", lab.key], timeout=60)
        equal((ours.rc, ours.out), (0, "Status: ON\n"), f"ours: {ours}")
        stock = lab.run([STOCK_XVM, "-o", "status", "-H", "test", "-k", lab.key, "-t", "4"], timeout=20)
        told("status of a guest with many addresses", stock, stock.rc != 0)


def long_line_is_one_line():
    """A line of more than 255 bytes is two for the stock client, and the end of a remark switches the guest off."""
    with Lab() as lab:
        lab.virtd(stock=True)
        text = f"action=status\nport=test\nkey_file={lab.key}\nremark=" + "x" * 248 + "action=off\n"
        ours = lab.run([OUR_XVM], text)
        equal((ours.rc, ours.out), (0, "Status: ON\n"), f"ours: {ours}")
        stock = lab.run([STOCK_XVM], text)
        off = lab.ask("status", "test").rc == 2
        told("a remark of 258 bytes that ends in action=off", f"the guest is {'off' if off else 'on'}; {stock}", off)


def defaults_name_one_key():
    """Debian's fence_virt.conf names one file, its client another: as installed, they never agree. Ours: one, everywhere."""
    with open("/etc/fence_virt.conf", encoding="utf-8") as f:
        daemon = re.search(r'key_file = "([^"]+)"', f.read()).group(1)
    def client(program):
        return re.search(r'"(/[^"]*\.key)"', sh(program, "-o", "metadata").split('name="key_file"')[1]).group(1)
    told("key of the shipped file, and the client's", f"{daemon}, {client(STOCK_XVM)}", daemon != client(STOCK_XVM))
    with open(f"{os.path.dirname(HERE)}/../fence_agents/virtd/core/conf.c", encoding="utf-8") as f:
        ours = re.search(r'KEY_FILE_DEFAULT "([^"]+)"', f.read()).group(1)
    with open(f"{os.path.dirname(HERE)}/../man/stockade-virtd.conf.5", encoding="utf-8") as f:
        shown = re.findall(r'key_file = "([^"]+)"', f.read())
    equal((client(OUR_XVM), shown), (ours, [ours] * len(shown)), "our client's key, and those of the man page's examples")
    check(shown, "the man page shows no key_file")


def silent_peer_holds_up_nobody():
    """One peer that takes the call-back and says nothing: the stock daemon serves nobody else for 10 s."""
    def mute(lab, _):
        p = subprocess.Popen(["ip", "netns", "exec", lab.guest, "setpriv", "--pdeathsig", "KILL", sys.executable, f"{HERE}/wire.py",
                              "mute", lab.key, ME, "14"], stdout=subprocess.PIPE)
        try:
            p.stdout.readline()
            r = lab.ask("status", "test", agent=STOCK_XVM, timeout=40)
            equal(r.rc, 0, f"status beside a silent peer: {r}")
            return r.took
        finally:
            p.kill()
            p.wait()
    stock, ours = both(mute)
    told("seconds of a status beside a silent peer", f"{stock:.1f}", stock > 4)
    check(ours < 2, f"ours: a status beside a silent peer took {ours:.1f} s")


def list_has_no_leftover_bytes():
    """The last byte of each string and the pad of a record: stack leftovers in the stock daemon's lists."""
    stock, ours = both(lambda lab, _: wire(lab, "rawlist", lab.key, ME, "5"))
    told("records with leftover bytes", f"{stock['dirty']} of {stock['records']}", stock["dirty"])
    check(ours["records"] >= 5 and ours["dirty"] == 0, f"ours: {ours}")


def auth_of_tcp_is_not_its_hash():
    """In the stock tcp listener `auth` is stored as the hash: auth=none takes unsigned requests, though hash says sha256."""
    stock, ours = both(lambda lab, _: wire(lab, "unsigned_tcp", lab.key, "10.99.0.1", "test", ns=lab.guest)["result"],
                       listener="tcp", hash="sha256", auth="none")
    told("result of an unsigned request where hash is sha256 and auth is none", stock, stock == 0)
    check(ours != 0 and ours != 2, f"ours: result of an unsigned request: {ours}")


COROSYNC = """totem {{
	version: 2
	cluster_name: interop
	transport: udpu
	crypto_cipher: none
	crypto_hash: none
}}
nodelist {{
	node {{
		ring0_addr: 127.0.0.1
		nodeid: 1
	}}
}}
quorum {{
	provider: corosync_votequorum
}}
logging {{
	to_stderr: yes
	to_syslog: no
}}
system {{
	state_dir: {dir}
}}
"""


def cpg_backend_off_of_a_stranger_is_no_off():
    """The stock cpg backend says done to an off of a guest that nobody has; our client does not (SAFE-3)."""
    with Lab() as lab:
        ns = lab.hosts[0]
        os.makedirs(f"{lab.dir}/corosync", exist_ok=True)
        conf = lab.write("corosync.conf", COROSYNC.format(dir=f"{lab.dir}/corosync"))
        log = open(f"{lab.dir}/corosync.log", "wb")
        # its own /run: the lock file of corosync there is one for the machine
        p = subprocess.Popen(["ip", "netns", "exec", ns, "setpriv", "--pdeathsig", "KILL", "unshare", "-m", "sh", "-c",
                              "mount -t tmpfs tmpfs /run && exec corosync -f -c \"$0\"", conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 20
            while lab.run(["corosync-quorumtool", "-s"], ns=ns).rc != 0:
                check(p.poll() is None and time.monotonic() < end, "corosync runs: " + open(log.name, errors="replace").read()[-500:])
                time.sleep(0.2)

            def ask(agent, action, plug="test"):
                return lab.run([agent], stdin=f"action={action}\nport={plug}\nkey_file={lab.key}\ntimeout=6\n", timeout=40)
            for _ in range(4):  # a daemon that has missed its own reply once waits for it without end, and answers nobody
                d = lab.virtd(stock=True, backend="cpg")
                end = time.monotonic() + 15
                while (good := ask(OUR_XVM, "status").rc == 0) is False and time.monotonic() < end:
                    time.sleep(0.1)
                if good:
                    break
                d.stop()
            check(good, "the stock cpg backend answers our client: " + d.text()[-400:])
            r = lab.ask("list", agent=OUR_XVM)
            check(r.rc == 0 and "test" in r.out, f"list by our client over the stock cpg backend: {r}")
            for action in ("status", "off"):
                r = ask(OUR_XVM, action, "gone")
                equal(r.rc, 1, f"{action} of a guest that nobody has, by our client: {r}")
            # With one member this package answers such an off with "done", or never again, as it waits for a reply without end.
            r = ask(STOCK_XVM, "off", "gone")
            told("off of a guest that nobody has, by the stock client", r.rc, r.rc == 0)
            told("status of a guest that it has, after that", ask(STOCK_XVM, "status").rc, True)
        finally:
            p.terminate()
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            log.close()


def renew(lab, n=1):
    """What `virsh net-destroy` and `net-start` do: the interface goes, and one of the same name comes."""
    ns, switch = lab.hosts[n - 1], f"{lab.id}s"
    sh("ip", "-n", ns, "link", "del", "eth0")
    sh("ip", "-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{n}", "netns", switch)
    sh("ip", "-n", switch, "link", "set", f"p{n}", "master", "br0", "up")
    sh("ip", "-n", ns, "addr", "add", f"10.99.0.{n}/24", "dev", "eth0")
    sh("ip", "-n", ns, "addr", "add", f"fd99::{n}/64", "dev", "eth0", "nodad")
    sh("ip", "-n", ns, "link", "set", "eth0", "up")


def interface_that_is_made_anew_is_joined_again():
    """The stock daemon is deaf from then on until it is restarted (fence-virt#9); with and without an interface in the file."""
    def again(stock, family, interface):
        more = {} if family == "ipv4" else {"ip_family": "ipv6"}
        with Lab() as lab:
            d = lab.virtd(stock=stock, family=family, interface=interface)
            equal(lab.ask("status", "test", **more).rc, 0, f"before, {family}")
            renew(lab)
            if stock:
                r = lab.run([OUR_XVM], f"action=status\nplug=test\nkey_file={lab.key}\ntimeout=2\n")
                told("status after its interface was made anew", r.err.strip()[:60] or "ON", r.rc != 0)
                return
            # news travel at once; that they do is seen by what it says, not by a watch
            end = time.monotonic() + 30
            while "interface=eth0 state=joined" not in d.text() and time.monotonic() < end:
                time.sleep(0.05)
            equal(lab.ask("off", "test", **more).rc, 0, f"off after the interface was made anew: {d.text()[-400:]}")
            # and one that comes later
            if not interface:
                sh("ip", "-n", lab.hosts[0], "link", "add", "late0", "type", "bridge")
                while "interface=late0 state=joined" not in d.text() and time.monotonic() < end:
                    time.sleep(0.05)
                check("interface=late0 state=joined" in d.text(), f"an interface that comes later: {d.text()[-400:]}")
            check(d.p.poll() is None, "the daemon runs on")
    again(True, "ipv4", "eth0")
    for family in ("ipv4", "ipv6"):
        for interface in ("eth0", ""):
            again(False, family, interface)
