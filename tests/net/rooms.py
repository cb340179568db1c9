# SPDX-License-Identifier: GPL-3.0-or-later
"""rooms - names, places and demolition of laboratories; shared by the keeper, the library and `lab reap`.

Every object of a lab (directory, mount, cgroup, network namespaces) has the keeper's pid in its name, so
that whoever finds it can tell whether its owner still lives, and remove it when not.
"""
import glob
import os
import re
import shutil
import stat
import subprocess
import time

PREFIX = "stockade-lab-"
BASE = "/tmp"
# What a node has for itself; the host's content must not be seen there.
PRIVATE = ("/etc/corosync", "/etc/stockade", "/etc/cluster", "/var/lib/corosync", "/var/lib/stockade", "/var/log")


def lab_id(pid):
    return f"{PREFIX}{pid}"


def lab_dir(pid):
    return f"{BASE}/{PREFIX}{pid}"


GATEWAY = 254       # the switch itself answers pings as 10.77.LINK.254


def addr(k, link=0):
    return f"10.77.{link}.{k}"


def machine_uuid(k):
    """Of node k, as its firmware says it, and as a hypervisor knows it."""
    return f"5d0cade0-0000-4000-8000-{k:012d}"


def cgroup2():
    """Where cgroup v2 is: alone at /sys/fs/cgroup, or beside the old controllers ("unified")."""
    with open("/proc/mounts", encoding="utf-8") as f:
        for line in f:
            part = line.split()
            if part[2] == "cgroup2":
                return part[1]
    raise OSError("no cgroup v2 is mounted")


def events(cgroup):
    with open(f"{cgroup}/cgroup.events", encoding="utf-8") as f:
        return dict(line.split() for line in f)


def unpopulated(cgroup):
    return events(cgroup)["populated"] == "0"


def frozen(cgroup):
    return events(cgroup)["frozen"] == "1"


def only_child(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as f:
            return int(f.read().split()[0])
    except (OSError, IndexError):
        pass
    for p in filter(str.isdigit, os.listdir("/proc")):       # a kernel without PROC_CHILDREN
        try:
            with open(f"/proc/{p}/stat", encoding="utf-8") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    return int(p)
        except (OSError, IndexError):
            continue
    raise OSError(f"process {pid} has no child")


def not_worth_keeping(directory, name):
    """Of a lab's directory, keep files that a reader of a failed test wants: no sockets, pipes, scratch."""
    try:
        mode = os.lstat(f"{directory}/{name}").st_mode
    except OSError:
        return True
    return name.endswith(".work") or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def demolish(pid):
    """Remove every trace of the lab of this keeper, also of a half-built one. Safe to call twice."""
    top = f"{cgroup2()}/{lab_id(pid)}"
    if os.path.isdir(top):
        rooms_of = [f"{top}/{d}" for d in os.listdir(top) if os.path.isdir(f"{top}/{d}")]
        for c in rooms_of:
            with open(f"{c}/cgroup.kill", "w", encoding="utf-8") as f:
                f.write("1")
            with open(f"{c}/cgroup.freeze", "w", encoding="utf-8") as f:
                f.write("0")
        remove_cgroup(top)
    try:
        names = os.listdir("/run/netns")
    except FileNotFoundError:
        names = []
    for name in names:
        if name.startswith(lab_id(pid) + "-"):
            subprocess.run(["ip", "netns", "del", name], check=False)
    d = lab_dir(pid)
    if os.path.isdir(d):
        while os.path.ismount(d):
            subprocess.run(["umount", "-l", d], check=True)
        # Anything left below is ours only if it was made before the tmpfs was mounted: nothing is.
        os.rmdir(d)


def remove_cgroup(path):
    try:
        inner = [d for d in os.listdir(path) if os.path.isdir(f"{path}/{d}")]
    except FileNotFoundError:
        return
    for d in inner:
        remove_cgroup(f"{path}/{d}")
    for _ in range(2000):                 # busy until the last dead task has been collected
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.005)
    raise OSError(f"{path} cannot be removed")


def is_keeper(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return b"keeper.py" in f.read()
    except OSError:
        return False


def traces():
    """The pids of all keepers that any object on this machine names."""
    pids = set()
    for place in (BASE, "/run/netns", cgroup2()):
        try:
            names = os.listdir(place)
        except FileNotFoundError:
            continue
        for name in names:
            m = re.match(re.escape(PREFIX) + r"(\d+)\b", name)
            if m:
                pids.add(int(m.group(1)))
    return pids


def keepers_of(owner):
    """The keepers that a process started, by /proc."""
    found = []
    for p in living():
        try:
            with open(f"/proc/{p}/stat", encoding="utf-8") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == owner:
                    found.append(p)
        except OSError:
            continue
    return found


def living():
    return sorted(p for p in traces() if is_keeper(p))


def reap():
    """Demolish the labs whose keeper is dead; returns their pids."""
    dead = sorted(p for p in traces() if not is_keeper(p))
    for p in dead:
        demolish(p)
    return dead


def reap_guests():
    """What guest.py's rooms left behind when their scenario was killed: they have no keeper; the owner's pid is in their names."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        m = re.match(r"xvm(\d+)n\d+", name)
        if m and not os.path.isdir(f"/proc/{m.group(1)}"):
            subprocess.run(["ip", "netns", "del", name], check=False)
    for d in glob.glob(f"{BASE}/stockade-interop.*/owner"):
        with open(d, encoding="ascii") as f:
            owner = f.read().strip()
        if owner and not os.path.isdir(f"/proc/{owner}"):
            shutil.rmtree(os.path.dirname(d), ignore_errors=True)


def tools_missing():
    return [t for t in ("ip", "nft", "nsenter", "unshare", "corosync") if not shutil.which(t)]
