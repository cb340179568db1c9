# SPDX-License-Identifier: GPL-3.0-or-later
"""storaged's drivers one operation at a time, by drvtest, in a laboratory without any daemon."""
import json
import os

BUILD = os.environ.get("STOCKADE_BUILD") or os.path.join(os.path.dirname(__file__), "../../build")
CONFIG = """\
cluster: web
detect: 3s
nodes:
  node1: {id: 1, link0: 192.0.2.11, fence: [{vm: node1}]}
  node2: {id: 2, link0: 192.0.2.12, fence: [{vm: node2}]}
fence_devices:
  vm: {agent: fence_xvm}
volumes:
  webdata:
    iscsi: {portal: 192.0.2.1, target: "iqn.2026-11.test:disk"}
    vg: vgcluster
    lv: lv0
    fs: ext4
    mount: /var/www/html
    options: noatime
services:
  web:
    resources:
      - volume: webdata
      - unit: apache2
      - ip: 192.0.2.100/24
"""
TARGET = "iqn.2026-11.test:disk"


class Drivers:
    def __init__(self, t):
        self.t, self.lab, self.n = t, t.lab(), 0
        for node in self.lab.nodes.values():
            files = [("/etc/stockade/stockade.yaml", CONFIG, 0o644)]
            for name, path in (("drvtest", "/usr/local/bin/drvtest"), ("stockade-lvm", "/usr/local/libexec/stockade/stockade-lvm")):
                with open(os.path.join(BUILD, "storaged/drivers", name), "rb") as f:
                    files.append((path, f.read(), 0o755))
            node.put_tree(files)

    def config(self, old, new):
        """A configuration file with one thing changed; its path."""
        assert old in CONFIG
        self.n += 1
        path = f"/etc/stockade/other{self.n}.yaml"
        for node in self.lab.nodes.values():
            node.put(path, CONFIG.replace(old, new))
        return path

    def op(self, node, op, resource="web/0", limit_ms=30000, **more):
        """One driver operation; its result line, with all lines as `lines`."""
        what = {"volume": "webdata"} if op in ("volume_prepare", "heartbeat") else {"resource": resource}
        request = dict(op=op, node=node, limit_ms=limit_ms, **what, **more)
        env = "STOCKADE_LIBEXECDIR=/usr/local/libexec/stockade"
        out = self.lab.node(node).run("env", env, "/usr/local/bin/drvtest", stdin=json.dumps(request), timeout=limit_ms / 1000 + 20).out
        lines = [json.loads(line) for line in out.splitlines()]
        return dict(lines[-1], lines=lines)

    def ok(self, node, op, resource="web/0", wanted="ok", **more):
        got = self.op(node, op, resource, **more)
        self.t.equal(got["result"], wanted, f"node{node} {op} {resource}: {got.get('reason')}")
        return got

    def fails(self, node, op, code, words, resource="web/0", result="failed", **more):
        """It says @code, names @words, gives a remedy, and leaves nothing active."""
        got = self.op(node, op, resource, **more)
        self.t.equal((got["result"], got.get("code")), (result, code), f"node{node} {op} {resource}: {got.get('reason')}")
        self.t.check(words in got["reason"], f"it names {words}: {got['reason']}")
        self.t.check(got.get("remedy"), "it says what to do")
        return got

    def inactive(self, node):
        self.t.equal(self.lab.node(node).run("dmsetup", "ls").out.strip(), "No devices found", f"device-mapper of node{node} is empty")

    def boot(self, node):
        return self.lab.node(node).run("cat", "/proc/sys/kernel/random/boot_id").out.strip()

    def tgtd(self):
        return self.lab.host("pgrep", "-x", "tgtd").split()[0]
