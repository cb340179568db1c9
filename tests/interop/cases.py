# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases of the interop tier: every function whose docstring is a claim. Named by what they claim; a case that cannot be tried
raises Skip.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

from lab import KEY, OUR_XVM, STOCK_VIRT, STOCK_XVM, Lab, check, equal, uuid_of

HERE = os.path.dirname(os.path.abspath(__file__))
HASHES = (("none", "none"), ("sha1", "sha1"), ("sha256", "sha256"), ("sha512", "sha512"))
UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"  # of the test driver's one guest

CLAIMS = (
    "stock_client_our_daemon_ipv4", "stock_client_our_daemon_ipv6", "our_client_stock_daemon_ipv4",
    "our_client_stock_daemon_ipv6", "our_pair_ipv4", "our_pair_ipv6", "tcp_in_both_directions",
    "stronger_hash_is_taken_weaker_is_not", "wrong_key_is_told_and_never_off", "four_failures_are_four_messages",
    "closed_way_back_is_told_from_silence", "names_are_taken_whole", "blanks_in_stdin_reboot_nobody", "every_wait_has_an_end", "every_spelling_of_an_address_is_one_hypervisor",
    "unknown_guest_is_never_off", "lies_are_no_answer",
    "replayed_request_is_carried_out_once", "noise_moves_nobody", "two_clients_on_one_guest_do_not_collide",
    "busy_port_is_no_obstacle", "lost_datagrams_cost_little", "several_hypervisors_are_asked_together",
    "conflicting_answers_are_unknown", "channel_and_serial_line_speak_as_captured", "every_stock_option_and_key_is_known",
)


class Skip(Exception):
    pass


def wire(lab, *args, ns=None):
    """wire.py in the guest (or @ns); its facts as one dictionary."""
    r = lab.run([sys.executable, f"{HERE}/wire.py", *args], ns=ns)
    equal(r.rc, 0, f"wire.py {args[0]}: {r.err}")
    facts = {}
    for line in r.out.splitlines():
        facts.update(json.loads(line))
    return facts


def life(lab, agent, **how):
    """status, off, status, on, reboot, list, monitor, by name and by uuid, as they must be."""
    def ask(action, plug="test"):
        return lab.ask(action, plug, agent=agent, timeout=20, **how)

    def expect(action, rc, plug="test"):
        r = ask(action, plug)
        equal(r.rc, rc, f"{action} of {plug} by {agent} {how}: {r}")
        return r

    expect("status", 0)
    expect("off", 0)
    expect("status", 2, UUID)
    expect("off", 0, UUID)  # off already
    expect("on", 0)
    expect("status", 0)
    expect("on", 0)
    expect("reboot", 0)
    expect("status", 0)
    r = expect("list", 0, None)
    check("test" in r.out and UUID in r.out, f"list: {r}")
    expect("monitor", 0, None)


def matrix(agent, stock_daemon, family):
    group = {} if family == "ipv4" else {"ip_family": "ipv6"}
    for h, a in HASHES:
        with Lab() as lab:
            lab.virtd(stock=stock_daemon, hash=h, auth=a, family=family)
            life(lab, agent, hash=h, auth=a, **group)


def stock_client_our_daemon_ipv4():
    matrix(STOCK_XVM, False, "ipv4")


def stock_client_our_daemon_ipv6():
    matrix(STOCK_XVM, False, "ipv6")


def our_client_stock_daemon_ipv4():
    matrix(OUR_XVM, True, "ipv4")


def our_client_stock_daemon_ipv6():
    matrix(OUR_XVM, True, "ipv6")


def our_pair_ipv4():
    matrix(OUR_XVM, False, "ipv4")


def our_pair_ipv6():
    matrix(OUR_XVM, False, "ipv6")


def tcp_in_both_directions():
    for stock_daemon in (True, False):
        for agent in (STOCK_VIRT, OUR_XVM):
            for family, address in (("ipv4", "10.99.0.1"), ("ipv6", "fd99::1")):
                if family == "ipv6" and (stock_daemon or agent == STOCK_VIRT):
                    continue
                with Lab() as lab:
                    lab.virtd(stock=stock_daemon, listener="tcp", family=family)
                    life(lab, agent, ipaddr=address)


def stronger_hash_is_taken_weaker_is_not():
    """The daemon's hash is the weakest that it takes; its answer to a weaker one is silence."""
    for stock_daemon in (True, False):
        with Lab() as lab:
            lab.virtd(stock=stock_daemon)
            for agent in (STOCK_XVM, OUR_XVM):
                equal(lab.ask("status", "test", agent=agent, hash="sha512").rc, 0, "sha512")
            r = lab.run([OUR_XVM], f"action=status\nplug=test\nkey_file={lab.key}\nhash=sha1\ntimeout=1\n")
            equal(r.rc, 1, f"sha1: {r}")
            check("no answer" in r.err, f"sha1: {r}")


def wrong_key_is_told_and_never_off():
    with Lab() as lab:
        other = lab.write("other", KEY[::-1])
        lab.virtd(stock=True)
        r = lab.run([OUR_XVM], f"action=status\nplug=test\nkey_file={other}\ntimeout=1\n")
        check(r.rc == 1 and "no answer" in r.err and "key" in r.err, f"a stock daemon is silent: {r}")
    for stock in (True, False):
        with Lab() as lab:
            other = lab.write("other", KEY[::-1])
            lab.virtd(stock=stock, listener="tcp")
            r = lab.run([OUR_XVM], f"action=off\nplug=test\nip=10.99.0.1\nkey_file={other}\ntimeout=3\n")
            check(r.rc == 1 and "wrong key" in r.err, f"tcp: {r}")
            r = lab.run([STOCK_VIRT], f"action=off\nport=test\nipaddr=10.99.0.1\nkey_file={other}\ntimeout=3\n")
            check(r.rc not in (0, 2), f"stock client with another key: {r}")
            equal(lab.ask("status", "test", ip="10.99.0.1").rc, 0, "the guest after that")
    with Lab() as lab:
        other = lab.write("other", KEY[::-1])
        lab.virtd(stock=False)
        for agent in (OUR_XVM, STOCK_XVM):
            r = lab.run([agent], f"action=off\nport=test\nkey_file={other}\ntimeout=2\nretrans=5\n")
            check(r.rc not in (0, 2), f"{agent} with another key: {r}")
        equal(lab.ask("status", "test").rc, 0, "the guest after that")


def four_failures_are_four_messages():
    """No answer, wrong key, not permitted, guest unknown: each by its first words, against both daemons."""
    allow = f'groups {{ group {{ ip = "10.99.0.99"; uuid = "allowed"; uuid = "gone"; }} }}\n'
    for stock in (True, False):
        with Lab() as lab:
            uri = lab.machines(["allowed", "denied"])
            r = lab.run([OUR_XVM], f"action=off\nplug=allowed\nkey_file={lab.key}\ntimeout=1\n")
            check(r.rc == 1 and "fence_xvm: no answer" in r.err, f"nobody there: {r}")
            lab.virtd(stock=stock, uri=uri, groups=allow)
            for action in ("off", "status"):
                r = lab.ask(action, "denied")
                check(r.rc == 1 and "fence_xvm: not permitted" in r.err, f"{action}, not in the map: {r}")
                r = lab.ask(action, "gone")
                check(r.rc == 1 and "fence_xvm: guest unknown" in r.err, f"{action}, unknown: {r}")
                equal(len(r.err.strip().splitlines()), 1, f"one line: {r}")
            equal(lab.ask("status", "allowed").rc, 0, "who is permitted and there")
        with Lab() as lab:
            lab.virtd(stock=stock, listener="tcp")
            bad = lab.write("other", b"another")
            r = lab.run([OUR_XVM], f"action=off\nplug=test\nip=10.99.0.1\nkey_file={bad}\n")
            check(r.rc == 1 and "fence_xvm: wrong key" in r.err, f"wrong key: {r}")
        with Lab() as lab:  # by multicast the stock daemon is silent; ours is asked by an echo
            lab.virtd(stock=stock)
            bad = lab.write("other", b"another")
            for more in ("", "hypervisors=10.99.0.1\n"):
                r = lab.run([OUR_XVM], f"action=off\nplug=test\nkey_file={bad}\ntimeout=3\n" + more)
                check(r.rc == 1 and ("fence_xvm: no answer" if stock else "fence_xvm: wrong key") in r.err and "key" in r.err,
                      f"wrong key by multicast, stock {stock}: {r}")
            equal(lab.ask("status", "test").rc, 0, "the guest after that")


def closed_way_back_is_told_from_silence():
    """Our daemon hears the request, and its call-back is dropped by the guest's firewall: the line says just that."""
    with Lab() as lab:
        lab.virtd(stock=False)
        lab.run(["nft", "add table inet x; add chain inet x i { type filter hook input priority 0; }; "
                 "add rule inet x i tcp dport 1229 reject with tcp reset"])
        r = lab.run([OUR_XVM], f"action=off\nplug=test\nkey_file={lab.key}\ntimeout=3\n")
        check(r.rc == 1 and "no answer: hypervisor 10.99.0.1 hears us and has our key" in r.err, f"{r}")
        check("Connection refused" in r.err, f"and what its call-back met: {r}")
        lab.run(["nft", "delete table inet x"])
        equal(lab.ask("status", "test").rc, 0, "the guest after that")


def names_are_taken_whole():
    """Blanks, commas, UTF-8, 63 bytes and more; upper case uuids; a name that is another's beginning."""
    long, longer = "x" * 63, "x" * 70
    names = ["web", "1", "web,1", "two words", "gr\u00fc\u00df Gott", long, longer]
    for stock, agent in ((True, OUR_XVM), (False, STOCK_XVM), (False, OUR_XVM)):
        with Lab() as lab:
            # the map knows the short one of the two long names, and the others
            d = lab.virtd(stock=stock, uri=lab.machines(names), groups="groups { group { ip = \"10.99.0.99\"; "
                          + " ".join(f'uuid = "{n}";' for n in names[:6] + [uuid_of(1), uuid_of(2).upper()]) + " } }\n")

            def ask(action, plug):
                return lab.run([agent, "-k", lab.key, "-o", action, "-H", plug, "-t", "5"]).rc
            for n in names[:6]:
                equal(ask("status", n), 0, f"status of {n!r} by {agent}, stock {stock}")
            for n in ("web,1", "two words", names[4]):
                equal(ask("off", n), 0, f"off of {n!r} by {agent}")
                equal(ask("status", n), 2, f"status of {n!r} by {agent}")
            for n in ("web", "1", long):
                equal(ask("status", n), 0, f"{n!r} is untouched by {agent}")
            equal(ask("off", uuid_of(1).upper()), 0, f"off by uuid in upper case by {agent}")
            equal(ask("status", "web"), 2, "web after it")
            check(ask("off", longer) not in (0, 2), f"a name that is too long: {agent}")
            if not stock:
                check(ask("off", uuid_of(7)) not in (0, 2), f"who begins like one that is permitted is not: {agent}: {d.text()[-600:]}")
                equal(d.text().count(f"guest={uuid_of(7)}") > 0, True, "the log calls it by its uuid")


def blanks_in_stdin_reboot_nobody():
    """The stock client cuts a value at its first blank, and its default is reboot: it is seen to; ours asks the status."""
    with Lab() as lab:
        d = lab.virtd(stock=True)
        text = f"action = status\nport=test\nkey_file={lab.key}\n"
        r = lab.run([STOCK_XVM], text)
        check("Status" not in r.out and re.search(r"reboot", d.text(), re.I), f"the stock client does not reboot here: {r}")
        before = len(re.findall(r"reboot|destroy", d.text(), re.I))
        r = lab.run([OUR_XVM], text)
        check(r.rc == 0 and r.out == "Status: ON\n", f"ours: {r}")
        for bad in ("action=\nport=test\n", "action= \nport=test\n", "action=off now\nport=test\n"):
            r = lab.run([OUR_XVM], bad + f"key_file={lab.key}\n")
            equal(r.rc, 1, f"{bad!r}: {r}")
        equal(len(re.findall(r"reboot|destroy", d.text(), re.I)), before, "what the daemon was asked to do by ours")
    with Lab() as lab:  # a name with blanks is one name
        lab.virtd(stock=True, uri=lab.machines(["vm", "vm two"], off=()))
        equal(lab.ask("off", "vm two").rc, 0, "off of 'vm two'")
        equal((lab.ask("status", "vm").rc, lab.ask("status", "vm two").rc), (0, 2), "status of 'vm' and 'vm two'")


def every_wait_has_an_end():
    """-t 1 -r 20: the stock client divides to zero tries and goes on for ever."""
    with Lab() as lab:
        r = lab.run([STOCK_XVM, "-o", "status", "-H", "test", "-k", lab.key, "-t", "1", "-r", "20"], timeout=6)
        equal(r.rc, -9, f"the stock client ended: {r}")
        for action, most in (("status", 2.5), ("off", 4.5), ("list", 2.5), ("monitor", 2.5)):
            r = lab.run([OUR_XVM, "-o", action, "-H", "test", "-k", lab.key, "-t", "1", "-r", "20"], timeout=20)
            check(r.rc == 1 and r.took < most, f"{action}: {r}")


def every_spelling_of_an_address_is_one_hypervisor():
    """An IPv6 address has many; a name is refused, as nobody should wait for a name server now."""
    with Lab() as lab:
        lab.virtd(stock=False, family="ipv6")
        equal(lab.ask("off", "test", ip_family="ipv6", hypervisors="fd99:0:0:0::0:1").rc, 0, "long spelling")
        r = lab.ask("off", "test", hypervisors="host1.example")
        check(r.rc == 1 and "no address" in r.err and r.took < 1, f"a name: {r}")


def unknown_guest_is_never_off():
    """The stock daemon says OFF about a guest that nobody has; the stock client believes it (SAFE-3)."""
    with Lab() as lab:
        lab.virtd(stock=True)
        equal(lab.ask("status", "gone", agent=STOCK_XVM).rc, 2, "the stock pair")
        for action in ("status", "off", "on", "reboot"):
            r = lab.ask(action, "gone")
            check(r.rc == 1 and "guest unknown" in r.err, f"{action} by ours: {r}")
        r = lab.ask("monitor", "gone")
        check(r.rc == 1 and "gone" in r.err, f"monitor of a guest that is not there: {r}")
        equal(lab.ask("status", "gone", missing_as_off=1).rc, 2, "said in so many words")
    with Lab() as lab:
        lab.virtd(stock=False)
        for agent in (STOCK_XVM, OUR_XVM):
            for action in ("status", "off"):
                equal(lab.ask(action, "gone", agent=agent).rc, 1, f"{action} by {agent} at our daemon")


LIES = ("silent", "hangs_up", "bare_result", "bare_off", "garbage", "wrong_response", "reflects", "half_response",
        "no_result", "forged_verdict", "half_verdict", "wild_result", "half_list", "endless_list", "done_but_unknown",
        "done_but_on", "paused")


def lie(kind):
    with Lab() as lab:
        p = subprocess.Popen(["ip", "netns", "exec", lab.hosts[0], "setpriv", "--pdeathsig", "KILL", sys.executable,
                              f"{HERE}/wire.py", "liar", lab.key, "10.99.0.1", kind], stdout=subprocess.PIPE)
        try:
            p.stdout.readline()
            for action in ("off", "status", "list"):
                r = lab.run([OUR_XVM], f"action={action}\nplug=test\nkey_file={lab.key}\ntimeout=1\npower_timeout=0\n",
                            timeout=20)
                # a guest that is on, or paused, is on
                fine = 0 if kind in ("done_but_on", "paused") and action != "off" else 1
                check(r.rc == fine and r.took < 6, f"{kind}, {action}: {r}")
                equal(len(r.err.strip().splitlines()), int(fine == 1), f"{kind}, {action}: lines on stderr: {r}")
        finally:
            p.kill()
            p.wait()


def lies_are_no_answer():
    """A hypervisor that hangs up, babbles, forges, lies: neither off nor done (SAFE-3); in time, with one line that says why."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lie, LIES))


def replayed_request_is_carried_out_once():
    with Lab() as lab:
        lab.virtd(stock=False)
        facts = wire(lab, "replay", lab.key, "10.99.0.99", "test")
        equal(facts["first"], [0], "the request itself")
        equal(facts["on"], [0], "on again")
        check(0 not in facts["again"], f"the replayed off was carried out: {facts}")
        equal(lab.ask("status", "test").rc, 0, "the guest after the replay")


def noise_moves_nobody():
    """Requests cut short, too long, damaged, random: no work is done, and the daemon goes on."""
    with Lab() as lab:
        d = lab.virtd(stock=False)
        facts = wire(lab, "noise", lab.key, "10.99.0.99", "7")
        check(facts["answers"] == [] and d.p.poll() is None, f"{facts}")
        equal(lab.ask("status", "test").rc, 0, "the guest after the noise")


def two_clients_on_one_guest_do_not_collide():
    """Each gets the answer to its own question, though all want TCP port 1229."""
    for stock in (True, False):
        with Lab() as lab:
            names = [f"m{i}" for i in range(6)]
            lab.virtd(stock=stock, uri=lab.machines(names, off=names[::2]))
            with concurrent.futures.ThreadPoolExecutor(12) as pool:
                got = list(pool.map(lambda n: (n, lab.ask("status", n)), names * 4))
            for n, r in got:
                equal(r.rc, 2 if n in names[::2] else 0, f"status of {n}: {r}")


def busy_port_is_no_obstacle():
    """Something else sits on TCP 1229: the request names another port."""
    with Lab() as lab:
        lab.virtd(stock=True)
        p = subprocess.Popen(["ip", "netns", "exec", lab.guest, sys.executable, "-c",
                              "import socket,time; s=socket.socket(); s.bind(('0.0.0.0',1229)); s.listen(); print(1,flush=True)"
                              "; time.sleep(60)"], stdout=subprocess.PIPE)
        try:
            p.stdout.readline()
            r = lab.ask("off", "test")
            check(r.rc == 0 and r.took < 3, f"{r}")
        finally:
            p.kill()
            p.wait()


def lost_datagrams_cost_little():
    """Two of three requests are lost on the way: the stock client waits 2 s for each."""
    with Lab() as lab:
        lab.virtd(stock=True)
        lab.run(["nft", "add table inet x; add chain inet x o { type filter hook output priority 0; }; "
                 "add rule inet x o udp dport 1229 numgen inc mod 3 < 2 drop"])
        took = []
        for _ in range(10):
            r = lab.ask("status", "test")
            equal(r.rc, 0, f"{r}")
            took.append(r.took)
        check(max(took) < 5, f"took {took}")


def several_hypervisors_are_asked_together():
    for stock in (True, False):
        with Lab(hosts=3) as lab:
            for h in range(3):
                lab.virtd(stock=stock, host=h, uri=lab.machines([f"own{h}"], name=f"n{h}"))
            named = "10.99.0.1,10.99.0.2,10.99.0.3"
            for more in ({}, {"hypervisors": named}):
                for h in (2, 0):
                    equal(lab.ask("status", f"own{h}", **more).rc, 0, f"status of own{h}, {more}")
            equal(lab.ask("off", "own1", hypervisors=named).rc, 0, "off by the one that has it")
            equal(lab.ask("status", "own1", hypervisors=named).rc, 2, "status after that")
            equal(lab.ask("status", "own0", hypervisors=named).rc, 0, "status of the neighbour")
            r = lab.ask("list", None, hypervisors=named)
            equal(sorted(line.split(",")[0] for line in r.out.splitlines()), ["own0", "own1", "own2"], f"list: {r}")
            # one of them is silent: what it may run is unknown, and what another has and runs is on all the same
            lab.daemons[2].stop()
            text = f"key_file={lab.key}\nhypervisors={named}\ntimeout=1\n"
            for action, plug, rc in (("status", "own1", 1), ("off", "own1", 1), ("status", "own0", 0), ("status", "own2", 1)):
                r = lab.run([OUR_XVM], text + f"action={action}\nplug={plug}\n")
                equal(r.rc, rc, f"{action} of {plug} without the third: {r}")
                check(rc == 0 or "10.99.0.3" in r.err, f"{r}")


def conflicting_answers_are_unknown():
    """A guest that was moved, and is still defined where it was: neither word is taken (SAFE-3)."""
    for stock in (True, False):
        with Lab(hosts=2) as lab:
            lab.virtd(stock=stock, host=0, uri=lab.machines(["moved"], name="n0", off=["moved"]))
            lab.virtd(stock=stock, host=1, uri=lab.machines(["moved"], name="n1"))
            named = "10.99.0.1,10.99.0.2"
            r = lab.ask("status", "moved", hypervisors=named)
            check(r.rc == (0 if stock else 1), f"status, stock {stock}: {r}")
            r = lab.ask("on", "moved", hypervisors=named)
            check(r.rc == 1 and "several hypervisors" in r.err, f"on: {r}")
            equal(lab.ask("off", "moved", hypervisors=named).rc, 0, "off is carried out by both")
            equal(lab.ask("status", "moved", hypervisors=named).rc, 2, "and then it is off")


def channel_and_serial_line_speak_as_captured():
    """Against a peer that plays the captured bytes: noise before the magic, lists, silence."""
    peer = ("import socket,sys,os\n"
            "s=socket.socket(); s.setsockopt(1,2,1); s.bind(('127.0.0.1',1229)); s.listen(); print(1,flush=True)\n"
            "while 1:\n"
            "  c,_=s.accept(); q=b''\n"
            "  while len(q)<74: q+=c.recv(74-len(q))\n"
            "  assert q[:4]==b'abba'\n"
            "  r={4:b'abba'+bytes([2]),6:b'abba\\xfd'+b'molly'.ljust(64,b'\\0')+b'u'.ljust(64,b'\\0')+b'\\5\\0'+bytes(130)+b'abba\\0',"
            "1:b'abba\\0'}[q[4]]\n"
            "  c.sendall((b'noise ab' if q[5] == 1 else b'')+r); c.close()\n")
    with Lab() as lab:
        p = subprocess.Popen(["ip", "netns", "exec", lab.guest, sys.executable, "-c", peer], stdout=subprocess.PIPE)
        try:
            p.stdout.readline()
            for agent in (STOCK_VIRT, OUR_XVM):
                r = lab.run([agent, "-A", "127.0.0.1", "-p", "1229", "-o", "status", "-H", "molly", "-t", "5"])
                equal(r.rc, 2, f"{agent}: {r}")
            r = lab.run([OUR_XVM, "-A", "127.0.0.1", "-u", "-o", "off", "-H", "molly"])
            equal(r.rc, 0, f"off: {r}")
            r = lab.run([OUR_XVM, "-A", "127.0.0.1", "-u", "-o", "list"])
            equal((r.rc, r.out), (0, "molly,u\n"), f"list: {r}")
        finally:
            p.kill()
            p.wait()
        r = lab.run([OUR_XVM, "-A", "127.0.0.1", "-o", "status", "-H", "molly", "-t", "1"])
        equal(r.rc, 1, f"nobody there: {r}")
        r = lab.run([OUR_XVM, "-D", lab.key, "-o", "status", "-H", "molly", "-t", "1"])
        check(r.rc == 1 and "no serial line" in r.err, f"no line: {r}")
        # a device that is no terminal may be a port of virtio-serial; this one is closed at once
        r = lab.run([OUR_XVM, "-D", "/dev/null", "-o", "status", "-H", "molly", "-t", "1"])
        check(r.rc == 1 and "no answer" in r.err, f"no line: {r}")
    pty_line()


def pty_line():
    import pty
    import threading
    master, slave = pty.openpty()
    path = os.ttyname(slave)

    def host():
        q = b""
        while len(q) < 74:
            q += os.read(master, 74 - len(q))
        os.write(master, b"ab" + b"abba" + b"\0")

    threading.Thread(target=host, daemon=True).start()
    r = subprocess.run([OUR_XVM, "-D", path, "-P", "9600,8N1", "-o", "status", "-H", "m", "-t", "5"], timeout=20,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False)
    equal((r.returncode, r.stdout), (0, "Status: ON\n"), f"serial line: {r}")
    os.close(master)
    os.close(slave)


def every_stock_option_and_key_is_known():
    """Names, letters and defaults of the stock metadata, compared with ours."""
    import xml.etree.ElementTree as ET
    ours = {p.get("name"): p for p in ET.fromstring(lab_free(OUR_XVM, "metadata")).iter("parameter")}
    letters = {}
    for name, p in ours.items():
        m = re.match(r"-(\S)", p.find("getopt").get("mixed"))
        if m:
            letters[m.group(1)] = name
    same = {"plug": "plug", "port": "port", "ipaddr": "ip", "ip": "ip"}
    for program in (STOCK_XVM, STOCK_VIRT):
        for p in ET.fromstring(lab_free(program, "metadata")).iter("parameter"):
            name = p.get("name")
            if name == "domain":  # deprecated there; taken by ours, and not advertised any more
                r = subprocess.run([OUR_XVM], input="action=validate-all\ndomain=x\n", text=True, stderr=subprocess.PIPE, check=False)
                equal((r.returncode, r.stderr), (0, ""), "domain=")
                continue
            check(name in ours, f"{program}: parameter {name} is not in ours")
            m = re.match(r"-(\S)", p.find("getopt").get("mixed"))
            if m and letters.get(m.group(1)) not in (name, same.get(name)):
                check(False, f"{program}: -{m.group(1)} is {name} there and {letters.get(m.group(1))} in ours")
            want, have = (x.find("content").get("default") for x in (p, ours[name]))
            # what chooses the way has no default in ours: it is chosen by being given
            if want and want not in ("0", "None") and name not in ("multicast_address", "channel_address", "vsock", "serial_device",
                                                                            "ipaddr", "ip"):
                equal(have, want, f"default of {name}")
        theirs = {a.get("name") for a in ET.fromstring(lab_free(program, "metadata")).iter("action")}
        have = {a.get("name") for a in ET.fromstring(lab_free(OUR_XVM, "metadata")).iter("action")}
        check(theirs <= have, f"actions of {program} that ours lacks: {theirs - have}")
    # -d and debug=2 do what they say
    with Lab() as lab:
        lab.virtd(stock=False)
        for r in (lab.run([OUR_XVM, "-d", "-d", "-k", lab.key, "-o", "status", "-H", "test"]), lab.ask("status", "test", debug=2)):
            check(r.rc == 0 and "call-back from 10.99.0.1" in r.err, f"debug: {r}")
    # What a newer caller may say, and what nobody here has heard of: not a reason to fail.
    for key in ("unheard=1", "crm_feature_set=3.19", "pcmk_delay_max=5"):
        r = subprocess.run([OUR_XVM], input=f"action=validate-all\nport=x\n{key}\n", text=True, capture_output=True, check=False)
        equal(r.returncode, 0, f"validate-all with {key}: {r.stderr}")


def lab_free(program, action):
    return subprocess.run([program], input=f"action={action}\n", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          timeout=20, check=True).stdout
