# SPDX-License-Identifier: GPL-3.0-or-later
"""cluster - a Lab that runs Stockade from the build tree: configuration, daemons, and eyes on what they do.

    with Cluster(t, nodes=3) as c:
        c.wait_serving()
        c.lab.powercut(c.server())
        c.wait_served_by(others)

What decides a scenario is seen from outside: writers() reads the shared disk, lab.events() the machine room,
lab.calls() the power switch. ask() is for what the daemons say of themselves, which is on test too.
"""
import collections
import json
import os
import subprocess
import threading
import time

import netlab
from scene import Refuted, Skip, built, until

DAEMONS = ("fenced", "dlmd", "storaged")
DOCTOR = "fence_agents/doctor/stockade-fence-doctor"
DISK = "/run/lab/disk/data"          # as the nodes see it
MOUNT = "/var/lib/data"

# A writer's run: one start of the recorder, in the order of its lines on the disk.
Run = collections.namedtuple("Run", "node boot token first last lines")


def daemon_path(name):
    """A daemon of the build tree; libtool's wrapper runs the real one with our own libraries."""
    return built(f"stockade-{name}")


def yaml(nodes, *, detect="1s", extra="", node_extra=None, fence=None, timeout=3, fence_timeout="4s", services=None,
         fence_loop="off", unfence=None, device="", devices=()):
    fence = fence or {k: "[{switch: n%d}]" % k for k in range(1, nodes + 1)}
    lines = ["cluster: lab", f"detect: {detect}", f"fence_timeout: {fence_timeout}", f"fence_loop: {fence_loop}", "nodes:"]
    for k in range(1, nodes + 1):
        own = f", unfence: {unfence[k]}" if unfence else ""
        lines.append(f"  n{k}: {{id: {k}, link0: 10.77.0.{k}, fence: {fence[k]}{own}}}")
    lines += ["fence_devices:",
              f"  switch: {{agent: {built('fence_agents/dummy/fence_dummy')}, "
              f"socket: /run/lab/node/power, timeout: \"{timeout}\"{device}}}",
              *(f"  {d}" for d in devices),
              "volumes:", f"  data: {{file: {DISK}, mount: {MOUNT}}}", "services:"]
    lines.append(services or "  rec: {resources: [{volume: data}, {script: /etc/stockade/recorder}]}")
    return "\n".join(lines) + "\n" + extra


class Cluster:
    """Arguments: nodes; detect and extra for the configuration (extra: YAML appended); wait_for_all for corosync;
    boot: nodes to boot at once; script: shell lines before the recorder's own; conf: {node number: configuration of its own}; record: False: the daemons
    write no records; others as of yaml()."""

    def __init__(self, t, nodes=3, *, detect="1s", wait_for_all=None, boot=None, conf=None, two_node=None,
                 serve=True, script=None, record=True, **config):
        self.t = t
        self.nodes = tuple(range(1, nodes + 1))
        self.asking = {}
        self.ask_lock = threading.Lock()
        self.ask_program = built("tests/net/ask")
        text = yaml(nodes, detect=detect, **config)
        run = f'exec {netlab.HERE}/recorder.py "$1" {MOUNT} rec\n'
        script = "#!/bin/sh\n" + (script or "") + run
        files = {"/etc/stockade/stockade.yaml": text, "/etc/stockade/recorder": (script, 0o755),
                 f"{MOUNT}/.here": "the mount point\n"}
        token = int((float(detect.rstrip("s")) * 1000 - 210) / 2.2)      # as lib/timing derives it
        self.token = token
        # as packaging/systemd has it: a corosync that dies comes back
        daemons = [{**netlab.COROSYNC, "restart_ms": 1000}] + [
            {"name": d, "argv": [daemon_path(d)], "notify": True, "restart_ms": 100, "runtime_dir": "stockade",
             "env": {"STOCKADE_LIBEXECDIR": os.path.dirname(built(DOCTOR)), **({"STOCKADE_RECORD": "/var/log/record"} if record else {})},
             "kill_all": d == "fenced"} for d in DAEMONS]       # as packaging/systemd has it
        self.lab = t.lab(nodes=nodes, token=token, wait_for_all=wait_for_all, two_node=two_node, services=daemons,
                         files=files, boot=[])
        try:
            os.makedirs(f"{self.lab.dir}/disk/data/data")
            for k, other in (conf or {}).items():
                self.lab.put(k, "/etc/stockade/stockade.yaml", other)
            for k in boot if boot is not None else self.nodes:
                self.lab.boot(k)
            if serve and boot is None:
                self.prepare()
        except BaseException:
            self.lab.down()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for p in self.asking.values():
            p.kill()
            p.communicate()
        self.lab.down()

    # -- asking the daemons --------------------------------------------------------------------
    def ask(self, k, daemon, timeout=2.0, **request):
        """One request of doc/protocol.md; {"ok": False, "code": "down"} when there is no answer."""
        with self.ask_lock:
            p = self.asking.get(k)
            if p is None or p.poll() is not None:
                try:
                    p = self.lab.spawn(k, self.ask_program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                except netlab.LabError as e:
                    return {"ok": False, "code": "down", "error": str(e)}
                self.asking[k] = p
            try:
                p.stdin.write(f"stockade-{daemon} {int(timeout * 1000)} {json.dumps(request)}\n")
                p.stdin.flush()
                line = p.stdout.readline()
            except OSError:
                line = ""
            if not line:
                p.kill()
                p.wait()
                del self.asking[k]
                return {"ok": False, "code": "down", "error": "the node went away"}
            return json.loads(line)

    def status(self, k, daemon):
        return self.ask(k, daemon, cmd="status")

    def seen(self, k, node):
        """How fenced of node k sees a node: the entry of `nodes`, or {} while it does not answer."""
        return next((n for n in self.status(k, "fenced").get("nodes", []) if n["id"] == node), {})

    def service(self, k, name="rec"):
        return next((s for s in self.status(k, "storaged").get("services", []) if s["name"] == name), {})

    def why(self, k, name, kind=None, daemon="storaged"):
        return self.ask(k, daemon, cmd="why", name=name, kind=kind).get("links", [])

    def prepare(self):
        """The operator's one-time `volume prepare`, as soon as somebody can do it."""
        def once():
            for k in self.nodes:
                r = self.ask(k, "storaged", timeout=10, cmd="volume", name="data", action="prepare")
                if r["ok"]:
                    return True
                self.last_refusal = r
            return False
        self.last_refusal = None
        try:
            until(once, "volume prepare", 20, 0.1)
        except netlab.Timeout as e:
            raise netlab.Timeout(f"{e}: {self.last_refusal}") from None

    def command(self, k, **request):
        """An operator's request that must be accepted, repeated while the daemon says `again`."""
        last = {}

        def once():
            last.update(self.ask(k, "storaged", timeout=10, **request))
            return last["ok"] or last.get("code") not in ("again", "down")
        until(once, f"{request} to be accepted", 20, 0.05)
        if not last["ok"]:
            raise Refuted(f"{request}: {last}")
        return last

    # -- the disk ------------------------------------------------------------------------------
    def records_path(self):
        found = []
        for top, _, names in os.walk(f"{self.lab.dir}/disk/data"):
            found += [f"{top}/records"] if "records" in names else []
        return found[0] if found else None

    def writers(self):
        """All runs of the recorder in the order of the disk; a run that another one interrupted appears twice."""
        path = self.records_path()
        runs = []
        if not path:
            return runs
        with open(path, encoding="utf-8") as f:
            for line in f:
                if not line.endswith("\n"):
                    break                # being written
                t, node, boot, token, number = line.split()
                t = int(t) / 1e9
                if runs and runs[-1].token == token:
                    if int(number) != runs[-1].lines + 1:
                        raise Refuted(f"{node} skipped from line {runs[-1].lines} to {number}")
                    runs[-1] = runs[-1]._replace(last=t, lines=int(number))
                else:
                    runs.append(Run(int(node[1:]), boot, token, t, t, int(number)))
        return runs

    def server(self, within=0.5):
        """The node that wrote last, if it wrote just now; else None."""
        runs = self.writers()
        return runs[-1].node if runs and time.monotonic() - runs[-1].last < within else None

    def wait_server(self, nodes=None, seconds=20, but=None):
        """Until a node (one of nodes; a run other than `but`) writes; its run."""
        def now():
            runs = self.writers()
            return (runs and self.server() == runs[-1].node and runs[-1].token != but
                    and (nodes is None or runs[-1].node in nodes) and runs[-1])
        return until(now, f"the service on one of {nodes or self.nodes}", seconds, 0.01)

    def run_of(self, token):
        return next(r for r in self.writers() if r.token == token)

    def handover(self, before, nodes=None, seconds=20):
        """Until another run than `before` writes; both runs as they are now, and the gap between them."""
        after = self.wait_server(nodes, seconds, but=before.token)
        before = self.run_of(before.token)
        return before, after, after.first - before.last

    def stays_with(self, run, seconds):
        """For so long nobody but this run writes (it may have ended)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            last = self.writers()[-1]
            if last.token != run.token:
                raise Refuted(f"n{last.node} began to write {last.first - self.run_of(run.token).last:.2f} s after "
                              f"n{run.node}'s last write")
            time.sleep(0.05)

    def offs(self):
        """How often an agent asked the switch to switch something off, or to reboot it."""
        return [e for e in self.lab.events("call") if e["action"] != "on"]

    def never_two_writers(self):
        """SAFE-1 on the disk: no run is interrupted, and a run of another node begins only after the one before
        ended for good: by its own stop, or because the machine room says that its node was off before."""
        runs = self.writers()
        tokens = [r.token for r in runs]
        twice = {x for x in tokens if tokens.count(x) > 1}
        if twice:
            order = " ".join(f"n{r.node}/{r.token}:{r.lines}" for r in runs)
            raise Refuted(f"two writers at a time: {order}")
        return runs

    def off_between(self, before, after):
        """The machine room's switch-off of the node of run `before` that lies between the two runs."""
        for e in self.lab.events("off", node=before.node):
            if before.last - 0.05 <= e["t"] + 0.05 and e["t"] <= after.first:
                return e
        raise Refuted(f"n{after.node} wrote at {after.first:.3f}, but n{before.node}, last write {before.last:.3f}, "
                      f"was not off by then: {self.lab.events('off', node=before.node)}")

    # -- waiting -------------------------------------------------------------------------------
    def wait_ready(self, nodes=None, seconds=20):
        """Until fenced of each node is synced and has a fence path to every other node."""
        nodes = nodes or self.nodes

        def ready():
            for k in nodes:
                st = self.status(k, "fenced")
                if not (st.get("ok") and st["view"] and st["view"]["synced"] and st["view"]["quorate"]
                        and len(st["view"]["members"]) == len(nodes)):
                    return False
                if not all(n["ready"] for n in st["nodes"] if not n["self"]):
                    return False
            return True
        until(ready, f"fenced of {nodes} synced, all fence paths ready", seconds, 0.05)

    def wait_storaged(self, seconds=20):
        """Until storaged of all nodes are synced with each other: a node may be a member of fenced's view for a while before."""
        def synced():
            views = [self.status(k, "storaged").get("view") or {} for k in self.nodes]
            return all(v.get("synced") and len(v["members"]) == len(self.nodes) for v in views)
        until(synced, "storaged of all nodes to be synced", seconds, 0.05)

    def wait_service(self, k, want, seconds=20, name="rec"):
        return until(lambda: (s := self.service(k, name)).get("state") == want and s, f"service {want} as n{k} sees it",
                     seconds, 0.02)
