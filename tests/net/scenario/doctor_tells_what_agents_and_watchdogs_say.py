# SPDX-License-Identifier: GPL-3.0-or-later
"""stockade doctor fence --local tells apart agents that fail, hang, do not know the plug or end the check, and the states of a watchdog.

Method: agents are scripts. Watchdogs by a stand-in for sysfs in a mount namespace (real ones: tests/vm doctor-watchdog).
"""
import os

from guest import Guest, Rows


def agents(t, row):
    with Guest() as lab:
        for want, script in (
                ("agent-failed", "echo 'Failed: the rack is on fire' >&2; exit 1"),
                ("no-such-plug", "echo 'Failed: Unable to obtain correct plug status or plug is not available' >&2; exit 1"),
                ("not-checked", "kill -KILL $PPID"),
                ("agent-timeout", "exec sleep 60")):
            agent = lab.write("fence_rack", f"#!/bin/sh\ncat >/dev/null\n{script}\n", 0o755)
            lab.conf(agent=agent)
            got = row(lab, want)
            t.check("rack is on fire" in got["text"] or want != "agent-failed", f"its words: {got}")


def watchdogs(t, rows):
    """What sysfs says of a driver (Documentation/ABI/testing/sysfs-class-watchdog), as files."""
    with Guest() as lab:
        lab.yaml = lab.write("stockade.yaml", (
            "cluster: lab\ndetect: 3s\nnodes:\n  n1: {id: 1, link0: 10.99.0.99, fence: [{own: }]}\n"
            "  n2: {id: 2, link0: 10.99.0.98, fence: [{other: n2}]}\nfence_devices:\n  own: {agent: watchdog}\n  other: {agent: /bin/true}\n"
            "watchdog: {device: /dev/null}\n"))
        real = {"identity": "i6300ESB timer", "state": "active", "max_timeout": "2046"}
        for want, sysfs in (("ok", real), ("watchdog-soft", {**real, "identity": "Software Watchdog", "max_timeout": "65535"}),
                            ("watchdog-unarmed", {**real, "state": "inactive"}), ("watchdog-short", {**real, "max_timeout": "10"}),
                            ("untold", {})):
            room = f"{lab.dir}/{want}"
            os.makedirs(f"{room}/null")
            for name, text in sysfs.items():
                lab.write(f"{want}/null/{name}", text + "\n")
            here = f'mount --bind {room} /sys/class/watchdog && exec "$@"'
            got = lab.doctor_own("unshare", "-m", "sh", "-c", here, "sh")
            t.equal(got["cause"], want, f"watchdog; {got}")
            t.equal(got["result"], {"ok": "pass", "watchdog-soft": "warn", "untold": "unknown"}.get(want, "fail"), f"{got}")
            rows.done.append(want)


def play(t):
    rows = Rows(t)
    agents(t, rows.row)
    if os.path.isdir("/sys/class/watchdog"):
        watchdogs(t, rows)
    rows.say()
