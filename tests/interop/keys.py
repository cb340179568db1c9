# SPDX-License-Identifier: GPL-3.0-or-later
"""`stockade key` among real machines: sshd in namespaces, two hypervisors with stockade-virtd, one with the stock fence_virtd."""
import json
import os
import subprocess
import threading
import time

from lab import OUR_XVM, STOCK_XVM, check, equal
from machine import KEYFILE, STOCKADE, Machines

CLAIMS = ("key_is_made_copied_and_proven", "push_reaches_only_the_machine_that_is_meant", "verify_tells_each_trouble_apart",
          "stock_daemon_is_proven_as_far_as_it_goes", "rotation_is_killed_at_every_step_and_no_request_fails",
          "rotation_waits_for_who_is_away_and_goes_back")


def rows(result, kind="hosts"):
    return {r["name"]: r for r in json.loads(result.out)[kind]}


def key_is_made_copied_and_proven():
    """new, push, verify; each host by itself, again without change, and a failure at one leaves the others right."""
    with Machines() as lab:
        n1, n2 = lab.n
        r = n1.key("new")
        equal(r.rc, 0, f"new: {r}")
        key = n1.read()
        equal((len(key), n1.mode()), (4096, "0:0:600"), "size, mode")
        check(len(set(key)) > 200, "it is random")
        equal(n1.key("new").rc, 4, "a second new")
        equal(n1.read(), key, "the key after it")
        r = n1.key("push")
        equal(r.rc, 0, f"push: {r}")
        for m in lab.machines:
            equal((m.read(), m.mode(), m.files()), (key, "0:0:600", ["fence_xvm.key"]), m.name)
        for h in lab.h:
            h.virtd()
        r = n1.key("verify", "--json")
        equal((r.rc, {k: v["match"] for k, v in rows(r).items()}),
              (0, {"10.99.0.1": "same", "10.99.0.2": "same", "n2": "same"}), f"verify: {r}")
        equal(n2.key("verify").rc, 0, "verify from the other node")
        # again: nothing is changed, a wrong mode is mended, another key is left alone
        inode = n2.run("stat", "-c", "%i", KEYFILE).out
        n2.run("chmod", "644", KEYFILE)
        lab.h[1].write(b"x" * 64)
        r = n1.key("push", "--json")
        equal((r.rc, {k: v["result"] for k, v in rows(r).items()}),
              (1, {"10.99.0.1": "same", "10.99.0.2": "differs", "n2": "mended"}), f"push again: {r}")
        equal((n2.mode(), n2.run("stat", "-c", "%i", KEYFILE).out), ("0:0:600", inode), "mode; the same file")
        equal(lab.h[1].read(), b"x" * 64, "another key is not overwritten")
        # others may write there: not one byte; the rest is right
        lab.h[0].run("chmod", "777", "/mnt/cluster")
        r = n1.key("push", "--replace", "--json")
        got = rows(r)
        equal((r.rc, {k: v["result"] for k, v in got.items()}),
              (1, {"10.99.0.1": "failed", "10.99.0.2": "replaced", "n2": "same"}), f"push --replace: {r}")
        check("chmod go-w" in got["10.99.0.1"]["text"], f"the remedy: {got['10.99.0.1']}")
        equal(lab.h[1].read(), key, "replaced")
        lab.h[0].run("chmod", "755", "/mnt/cluster")
        # an sshd that is down
        n2.stop()
        r = n1.key("push", "--json")
        equal((r.rc, {k: v["ok"] for k, v in rows(r).items()}),
              (1, {"10.99.0.1": True, "10.99.0.2": True, "n2": False}), f"push with a node down: {r}")
        for word in (key[:16].hex(), key[-16:].hex()):
            check(word not in r.out + r.err, "the key is never shown")
        # show
        n1.run("chmod", "640", KEYFILE)
        r = n1.key("show", "--json")
        said = json.loads(r.out)
        equal((r.rc, said["mode"], said["bytes"], len(said["uses"])), (1, "0640", 4096, 2), f"show: {r}")
        check(any("group" in w["text"] for w in said["warnings"]), f"a warning: {r}")


def push_reaches_only_the_machine_that_is_meant():
    with Machines(hypervisors=1, nodes=3) as lab:
        n1, n2, n3 = lab.n
        n1.key("new")
        # the name leads to another machine, whose host key is known for it
        lab.write_ssh(wrong={"n2": "h1"})
        r = n1.key("push", "n2", "n3", "--json")
        got = rows(r)
        equal((r.rc, got["n2"]["result"], got["n3"]["result"]), (1, "failed", "made"), f"another machine: {r}")
        check("neither the name n2 nor its address" in got["n2"]["text"], got["n2"]["text"])
        equal((n2.read(), lab.h[0].read()), (None, None), "nothing was sent to it")
        # two names, one machine
        lab.write_ssh(wrong={"10.99.0.1": "n3"})
        r = n1.key("push", "n3", "--json", "--hypervisor", "10.99.0.1=10.99.0.13")
        check(r.rc == 1 and any("the same machine" in h["text"] for h in rows(r).values()), f"one machine twice: {r}")
        # a host key that nobody has seen
        lab.write_ssh(unknown={"n2"})
        r = n1.key("push", "n2", "--json")
        check(r.rc == 1 and "host key is not known" in rows(r)["n2"]["text"], f"unknown host key: {r}")
        equal(n2.read(), None, "nothing was sent")
        lab.write_ssh()
        # words that a shell would take for its own
        for evil in ("n2=n2;touch${IFS}/mnt/evil", "n2=-oProxyCommand=touch /mnt/evil", "n2=$(touch /mnt/evil)"):
            r = n1.key("push", "n2", "--ssh-host", evil, "--json")
            check(r.rc == 1 and not rows(r)["n2"]["ok"], f"{evil}: {r}")
        r = n1.stockade("key", "new", "--file", "/mnt/cluster/a b;touch /mnt/evil")
        r = n1.key("push", "n2", "--file", "/mnt/cluster/a b;touch /mnt/evil", "--json")
        check(r.rc != 0, f"a path with blanks: {r}")
        for m in lab.machines:
            equal(m.run("ls", "/mnt").out.split(), ["cluster"], f"{m.name}: /mnt")
        equal(n1.key("push").rc, 0, "and now")
        equal(n2.read(), n1.read(), "the key")


# Answers echoes as fence_agents/virt/echo.h has them, by another hand; arguments: the host's address, the key, a nonce to answer to
# instead of the question's (hexadecimal).
FAKE = """
import hashlib, hmac, os, socket, sys
address, key, nonce = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
mac = lambda k, m: hmac.new(k, m, hashlib.sha256).digest()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 1229))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("225.0.0.12") + socket.inet_aton(address))
print("listens", flush=True)
while True:
    ask, who = s.recvfrom(512)
    text = (bytes((83, 75, 69, 49, 2, 0, 1, 1)) + (nonce or ask[8:40]) + os.urandom(32) + b"fake").ljust(144, bytes(1))
    s.sendto(text + mac(mac(key, b"stockade key echo v1"), text), who)
"""


class Fake:
    """Who answers echoes in a hypervisor's place."""

    def __init__(self, machine, key, nonce=b""):
        self.p = machine.popen("/usr/bin/python3", "-c", FAKE, machine.address, key.hex(), nonce.hex(), stdout=subprocess.PIPE)
        equal(self.p.stdout.readline(), b"listens\n", "the fake")

    def stop(self):
        self.p.kill()
        self.p.wait()


def verify_tells_each_trouble_apart():
    """No answer, another key, a replay, a wrong proof, the second key only: each by its own word, text and remedy."""
    with Machines(hypervisors=1) as lab:
        n1, n2 = lab.n
        h = lab.h[0]
        n1.key("new")
        key = n1.read()
        n2.write(key)

        def match(name="10.99.0.1", rc=1):
            r = n1.key("verify", "--json")
            equal(r.rc, rc, f"exit code: {r}")
            return rows(r)[name]
        texts = set()
        equal((m := match())["match"], "no_answer", "nobody there")
        texts.add(m["text"])
        h.write(os.urandom(4096))
        d = h.virtd()
        equal((m := match())["match"], "differs", "another key")
        texts.add(m["text"])
        h.write(key, ".new")
        equal(h.run(f"{os.path.dirname(STOCKADE)}/../stockade-virtd", "--reload").rc, 0, "reload")
        equal((m := match(rc=5))["match"], "second_there", "as the second only")
        texts.add(m["text"])
        n1.run("cp", "-p", KEYFILE, KEYFILE + ".new")
        n1.write(os.urandom(4096))
        equal((m := match(rc=5))["match"], "second_here", "what is KEY.new here")
        texts.add(m["text"])
        n1.run("mv", KEYFILE + ".new", KEYFILE)
        d.kill()
        d.wait()
        old = b"\7" * 32
        for name, arguments in (("replayed", (key, old)), ("unproven", (b"guess",))):
            f = Fake(h, *arguments)
            try:
                equal((m := match())["match"], name, name)
                texts.add(m["text"])
            finally:
                f.stop()
        f = Fake(h, key)
        try:
            equal(match(rc=0)["match"], "same", "our bytes, by another hand")
        finally:
            f.stop()
        # node to node
        h.write(key)
        h.run("rm", KEYFILE + ".new")
        h.virtd()
        equal(match(rc=0)["match"], "same", "the hypervisor again")
        n2.write(b"z" * 100)
        equal((m := match("n2"))["match"], "differs", "node: another key")
        n2.write(key, ".new")
        equal(match("n2", 5)["match"], "second_there", "node: as KEY.new")
        n2.run("rm", KEYFILE, KEYFILE + ".new")
        equal(match("n2")["match"], "none", "node: no key")
        n2.stop()
        equal(match("n2")["match"], "no_answer", "node: down")
        equal(len(texts), 6, "texts that differ")


def stock_daemon_is_proven_as_far_as_it_goes():
    """The stock protocol proves equal keys, and is silent to others; it can take no second key, so it is not rotated."""
    with Machines() as lab:
        n1 = lab.n[0]
        n1.key("new")
        equal(n1.key("push").rc, 0, "push")
        lab.h[0].virtd()
        d = lab.h[1].virtd(stock=True)
        r = n1.key("verify", "--json")
        equal((r.rc, {k: v["match"] for k, v in rows(r).items()}),
              (0, {"10.99.0.1": "same", "10.99.0.2": "same_stock", "n2": "same"}), f"verify: {r}")
        # the stock daemon did nothing but prove it: an echo is no request to it
        check("SKE1" not in lab.h[1].log_text(), "the stock daemon took an echo for a request")
        r = n1.key("rotate", "--pause", "0s", "--json")
        check(r.rc == 5 and "stock fence_virtd" in json.loads(r.out)["text"], f"rotate: {r}")
        equal(n1.files(), ["fence_xvm.key"], "nothing was begun")
        d.kill()
        d.wait()
        lab.h[1].write(os.urandom(4096))
        lab.h[1].virtd(stock=True)
        r = n1.key("verify", "--json")
        equal((r.rc, rows(r)["10.99.0.2"]["match"]), (1, "no_answer"), f"another key: {r}")
        # by tcp it hangs up on another key, and ours answers the echo
        for h in lab.h:
            for p in h.daemons:
                p.kill()
                p.wait()
        lab.write_config(tcp=True)
        lab.h[0].virtd(tcp=True)
        lab.h[1].virtd(tcp=True, stock=True)
        r = n1.key("verify", "--json")
        equal((r.rc, rows(r)["10.99.0.1"]["match"], rows(r)["10.99.0.2"]["match"]), (1, "same", "differs"), f"tcp, another key: {r}")
        for p in lab.h[1].daemons:
            p.kill()
            p.wait()
        r = n1.key("verify", "--json")
        equal((r.rc, rows(r)["10.99.0.2"]["match"]), (1, "no_answer"), f"tcp, nobody: {r}")
        lab.h[1].write(n1.read())
        lab.h[1].virtd(tcp=True, stock=True)
        r = n1.key("verify", "--json")
        equal((r.rc, rows(r)["10.99.0.2"]["match"]), (0, "same_stock"), f"tcp, the same key: {r}")


class Requests:
    """A node that asks both hypervisors again and again, by the agent, as fencing does."""

    def __init__(self, machine, agent=OUR_XVM):
        self.m, self.agent, self.n, self.bad, self.over = machine, agent, 0, [], False
        self.t = threading.Thread(target=self.run)
        self.t.start()

    def run(self):
        text = f"action=status\nplug=test\nkey_file={KEYFILE}\ntimeout=5\nhypervisors=10.99.0.1,10.99.0.2\n"
        while not self.over:
            p = subprocess.run(self.m.inside(self.agent), input=text, capture_output=True, text=True)
            self.n += 1
            time.sleep(0.08)
            if p.returncode != 0:
                self.bad.append((time.monotonic(), p.returncode, p.stderr.strip()))

    def stop(self):
        self.over = True
        self.t.join()


def rotation_is_killed_at_every_step_and_no_request_fails():
    """kill -9 before and after each order to another machine; every run goes on from what it finds; both nodes fence all along."""
    with Machines() as lab:
        n1, n2 = lab.n
        n1.key("new")
        old = n1.read()
        equal(n1.key("push").rc, 0, "push")
        for h in lab.h:
            h.virtd()
        lab.write_ssh(share=True)
        # kills whoever called it, once before and once after each order to each machine that changes something
        lab.ssh = lab.write("ssh", f"""#!/bin/bash
last=${{!#}}
tail=${{last##*stockade-key }}
case $tail in
put* | replace* | swap* | drop* | reload*)
	set -- "$@"
	for when in before after; do
		mark="$when ${{@: -2:1}} ${{tail%% [0-9]*}}"
		grep -qxF -e "$mark" {lab.dir}/killed && continue
		echo "$mark" >>{lab.dir}/killed
		[ $when = before ] || /usr/bin/ssh "$@"
		kill -9 $PPID
		exit 1
	done
	;;
esac
exec /usr/bin/ssh "$@"
""", 0o755)
        killed = lab.write("killed", "")
        askers = [Requests(m) for m in lab.n]
        try:
            seen = set()
            for runs in range(40):
                r = n1.key("rotate", "--pause", "300ms", "--json")
                if r.rc == 0:
                    break
                check(r.rc < 0 or r.rc == 137, f"run {runs} was not killed: {r}")
                said = json.loads(n1.key("show", "--json").out)
                check(said["rotation"] and said["rotation"]["here"], f"show tells of it: {said}")
                seen.add(said["rotation"]["stage"])
            equal(r.rc, 0, f"the last run: {r}")
            with open(killed) as f:
                kills = f.read().split("\n")[:-1]
            equal(runs, len(kills), "runs that were killed")
            check(runs >= 18, f"only {runs} runs were killed: {kills}")
            check({1, 2, 3, 5} <= seen, f"stages that show told of: {seen}")
        finally:
            for a in askers:
                a.stop()
        new = n1.read()
        check(new != old and len(new) == 4096, "it is another key")
        for m in lab.machines:
            equal((m.read(), m.mode(), m.files()), (new, "0:0:600", ["fence_xvm.key"]), m.name)
        for a in askers:
            check(a.n > 100, f"only {a.n} requests")
            equal(a.bad, [], f"requests of {a.m.name} that failed, of {a.n}")
        print(f"{runs} runs killed, {sum(a.n for a in askers)} requests, none failed", flush=True)
        # the old one is taken by nobody any more
        for m in lab.n:
            m.write(old, ".before")
            p = m.run(STOCK_XVM, "-o", "status", "-H", "test", "-k", KEYFILE + ".before", "-t", "2", "-r", "5")
            equal(p.rc, 1, f"a request under the old key: {p}")
        lab.ssh = None
        equal(n2.key("verify").rc, 0, "verify")


def rotation_waits_for_who_is_away_and_goes_back():
    with Machines() as lab:
        n1, n2 = lab.n
        lab.write_ssh(share=True)
        n1.key("new")
        old = n1.read()
        n1.key("push")
        daemons = [h.virtd() for h in lab.h]
        # a node that holds another key: nothing is begun
        n2.write(os.urandom(64))
        r = n1.key("rotate", "--pause", "0s")
        check(r.rc == 4 and "not begun" in r.err, f"a node with another key: {r}")
        n2.write(old)
        # a daemon that goes away in the middle: no node switches
        lab.ssh = lab.write("ssh", f"""#!/bin/bash
case "${{!#}}" in
*"stockade-key reload "*) [ -e {lab.dir}/gone ] || {{ touch {lab.dir}/gone; kill -9 {daemons[1].pid}; }} ;;
esac
exec /usr/bin/ssh "$@"
""", 0o755)
        r = n1.key("rotate", "--pause", "0s", "--json")
        check(r.rc in (1, 5), f"a daemon that is gone: {r}")
        equal([m.read() for m in lab.n], [old, old], "nodes still sign with the old key")
        check("stage" in n1.key("show").out, "show tells of it")
        equal(n1.key("new", "--replace").rc, 4, "new meanwhile")
        equal(n1.key("push").rc, 4, "push meanwhile")
        # from another machine it is not begun a second time
        daemons[1].wait()
        lab.h[1].virtd()
        r = n2.key("rotate", "--pause", "0s")
        check(r.rc == 4, f"a second rotation: {r}")
        equal(n1.key("rotate", "--pause", "0s", "--abort").rc, 0, "back")
        for m in lab.machines:
            equal((m.read(), m.files()), (old, ["fence_xvm.key"]), m.name)
        equal(n1.key("verify").rc, 0, "verify")
        # forwards, with a node that goes away in the middle, and comes back
        away = f"{lab.dir}/away"
        lab.ssh = lab.write("ssh", f"""#!/bin/bash
[ ! -e {away} ] || [ "${{@: -2:1}}" != n2 ] || exit 255
case "${{!#}}" in *"stockade-key reload "*) [ -e {away}.was ] || touch {away} {away}.was ;; esac
exec /usr/bin/ssh "$@"
""", 0o755)
        r = n1.key("rotate", "--pause", "0s", "--json")
        check(r.rc in (1, 5) and "n2" in json.loads(r.out)["text"], f"a node that is away: {r}")
        check(n1.read() == old == n2.read(), "nobody has switched, no key was dropped")
        os.unlink(away)
        r = n1.key("rotate", "--pause", "0s")
        equal(r.rc, 0, f"rotate: {r}")
        new = n1.read()
        check(n2.read() == new != old, "a new key")
        equal(n1.key("rotate", "--abort").rc, 0, "nothing to undo")
        # back, when a node signs with the new key already
        lab.ssh = lab.write("ssh", """#!/bin/bash
case "${!#}" in *"stockade-key swap "*) /usr/bin/ssh "$@"; kill -9 $PPID; exit 1 ;; esac
exec /usr/bin/ssh "$@"
""", 0o755)
        r = n1.key("rotate", "--pause", "0s")
        check(r.rc != 0 and n2.read() != new and n1.read() == new, f"one node has switched: {r}")
        lab.ssh = None
        equal(n1.key("verify").rc, 5, "in between")
        for m in lab.n:
            p = m.run(OUR_XVM, stdin=f"action=status\nplug=test\nkey_file={KEYFILE}\ntimeout=5\nhypervisors=10.99.0.1,10.99.0.2\n")
            equal(p.rc, 0, f"{m.name} can fence: {p}")
        equal(n1.key("rotate", "--pause", "0s", "--abort").rc, 0, "back")
        for m in lab.machines:
            equal((m.read(), m.files()), (new, ["fence_xvm.key"]), m.name)
        equal(n1.key("verify").rc, 0, "verify")
