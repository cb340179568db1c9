#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest image of the laboratory: a Debian root filesystem, its kernel and a tiny initramfs.

Two stages, each cached under its own key, because the first needs the network and minutes while the
second needs neither:

  rootfs   mmdebstrap: the packages below from the machine's own Debian sources
           key: the package list, the suite, what is left out
  image    rootfs + tests/vm/guest/ (agent, units, settings) -> ext4 file, kernel, initramfs
           key: the rootfs key + every byte of tests/vm/guest/ + this file

Nothing of Stockade is in the image. A lab puts a build into its guests when it starts them.

Cache: $STOCKADE_LAB_DIR, else /var/cache/stockade-lab. It is outside of the source tree on purpose: the image does
not depend on the tree but through its key, so every clone and every worktree of a machine shares one.
"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST = os.path.join(HERE, "guest")
SUITE = "bookworm"
IMAGE_MIB = 2048  # virtual size; the file is sparse

PACKAGES = """
systemd systemd-sysv dbus udev kmod iproute2 procps
corosync libcpg4 libquorum5 libvotequorum8 libcmap4 libcfg7 libqb100
lvm2 liblvm2cmd2.03 libdevmapper1.02.1 open-iscsi libopeniscsiusr
e2fsprogs xfsprogs libmount1 libblkid1
apache2 curl iputils-ping iputils-arping fence-virt
libfyaml0 libjansson4 libnl-3-200 libnl-route-3-200 libsystemd0 libssl3 libsgutils2-1.46-2
strace
""".split()

# Left out of the packages: the guests have neither readers nor this hardware.
DPKG_EXCLUDE = """
/usr/share/man/* /usr/share/doc/* /usr/share/locale/* /usr/share/info/* /usr/share/lintian/*
""".split()
KERNEL_EXCLUDE = """
drivers/gpu drivers/media drivers/infiniband drivers/usb drivers/staging drivers/isdn drivers/iio
drivers/hwmon drivers/bluetooth drivers/net/wireless drivers/net/ethernet drivers/net/can drivers/comedi
drivers/nfc drivers/mtd drivers/mmc drivers/input drivers/platform drivers/hid drivers/firewire drivers/accessibility
sound net/bluetooth net/wireless net/mac80211 net/nfc net/can net/batman-adv
fs/btrfs fs/ceph fs/cifs fs/nfs fs/nfsd fs/ocfs2 fs/f2fs fs/jfs fs/reiserfs fs/ntfs fs/ntfs3 fs/ubifs fs/udf fs/orangefs fs/afs fs/coda
""".split()

# What the initramfs loads before it mounts the root: the disk and its filesystem, then the devices that the
# guest always has, so that udev finds nothing left to do for them.
INITRD_MODULES = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_net", "virtio_console", "configfs"]


def cache_dir():
    """The folder that holds images and labs; made when missing."""
    path = os.environ.get("STOCKADE_LAB_DIR") or "/var/cache/stockade-lab"
    os.makedirs(path, exist_ok=True)
    return path


def say(text):
    print(f"[image] {text}", file=sys.stderr, flush=True)


def run(argv, **kw):
    """Run a command; on failure raise with its output in the message."""
    res = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **kw)
    if res.returncode:
        tail = res.stdout.decode(errors="replace")[-4000:]
        raise RuntimeError(f"{' '.join(argv[:4])} ... failed with {res.returncode}:\n{tail}")
    return res.stdout.decode(errors="replace")


def run_slow(argv, what, expect_s, **kw):
    """Like run(), with a progress line every ten seconds."""
    start = time.monotonic()
    with open(os.path.join(cache_dir(), "last-build.log"), "w+b") as log:
        proc = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **kw)
        try:
            while True:
                try:
                    proc.wait(timeout=10)
                    break
                except subprocess.TimeoutExpired:
                    say(f"{what}: {time.monotonic() - start:.0f} s (usually about {expect_s} s)")
        except BaseException:
            proc.kill()
            proc.wait()
            raise
        if proc.returncode:
            log.seek(0)
            tail = log.read().decode(errors="replace")[-4000:]
            raise RuntimeError(f"{what} failed with {proc.returncode}:\n{tail}")
    say(f"{what}: done in {time.monotonic() - start:.0f} s")


def digest(parts):
    h = hashlib.sha256()
    for part in parts:
        h.update(part if isinstance(part, bytes) else part.encode())
        h.update(b"\0")
    return h.hexdigest()[:12]


def guest_files():
    """[(relative path, bytes, mode)] of tests/vm/guest/, in a fixed order."""
    found = []
    for root, dirs, files in os.walk(GUEST):
        dirs.sort()
        for name in sorted(files):
            path = os.path.join(root, name)
            with open(path, "rb") as f:
                found.append((os.path.relpath(path, GUEST), f.read(), os.stat(path).st_mode & 0o777))
    return found


def rootfs_key():
    return digest([SUITE, " ".join(PACKAGES), " ".join(DPKG_EXCLUDE), " ".join(KERNEL_EXCLUDE)])


def image_key():
    with open(os.path.abspath(__file__), "rb") as f:
        parts = [rootfs_key(), f.read()]
    for path, data, mode in guest_files():
        parts += [path, data, oct(mode)]
    return digest(parts)


def debian_sources(update=True):
    """The machine's own Debian sources for SUITE as one-line entries, with their keys.

    Which source is Debian's is written in the downloaded lists, so these are fetched when none is there.
    """
    out = run(["apt-get", "indextargets", "--format",
               "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)", "Created-By: Packages"])
    lines = []
    for row in out.splitlines():
        origin, codename, uri, release, component, signed = (row.split("|") + [""] * 6)[:6]
        if origin != "Debian" or not codename.startswith(SUITE):
            continue
        opts = f" [signed-by={signed}]" if signed.startswith("/") else ""
        line = f"deb{opts} {uri} {release} {component}"
        if line not in lines:
            lines.append(line)
    if not lines and update:
        run_slow(["apt-get", "update", "-q"], "package lists of this machine", 10)
        return debian_sources(update=False)
    if not lines:
        raise RuntimeError(f"this machine has no package source of Debian {SUITE} (apt-get indextargets)")
    return lines


def apt_proxy_options():
    """The machine's proxy settings, so that mmdebstrap's apt reaches what the machine's apt reaches."""
    opts = []
    for row in run(["apt-config", "dump"]).splitlines():
        key, _, value = row.partition(" ")
        if key.startswith("Acquire::") and ("Proxy" in key or key in ("Acquire::Check-Valid-Until", "Acquire::Check-Date")):
            value = value.strip().rstrip(";")
            if value != '""':
                opts.append(f"--aptopt={key} {value}")
    return opts


def build_rootfs(path):
    """mmdebstrap into @path. The kernel is unpacked, not installed, so that no stock initrd is made."""
    kernel_tar = " ".join(f"--exclude=./lib/modules/*/kernel/{p}" for p in KERNEL_EXCLUDE)
    kernel_hook = (
        'set -e; chroot "$1" sh -c \'cd /tmp && apt-get download -qq '
        '"$(apt-cache depends linux-image-amd64 | sed -n "s/.*Depends: //p" | head -n 1)"\' && '
        f'dpkg-deb --fsys-tarfile "$1"/tmp/linux-image-*.deb | tar -x -C "$1" --keep-directory-symlink {kernel_tar} '
        './boot ./lib && rm "$1"/tmp/linux-image-*.deb && '
        'chroot "$1" depmod "$(ls "$1"/lib/modules)"')
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + ",".join(PACKAGES)]
    argv += ['--aptopt=Apt::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"']
    argv += apt_proxy_options()
    argv += [f"--dpkgopt=path-exclude={p}" for p in DPKG_EXCLUDE]
    argv += [f"--customize-hook={kernel_hook}", SUITE, path]
    argv += debian_sources()
    run_slow(argv, f"Debian {SUITE} with {len(PACKAGES)} packages", 60)


def module_closure(rootfs, release, names):
    """Paths (relative to lib/modules/RELEASE) of the named modules, each after what it depends on."""
    base = f"{rootfs}/lib/modules/{release}"
    deps, by_name = {}, {}
    with open(f"{base}/modules.dep") as f:
        for row in f:
            path, _, rest = row.partition(":")
            deps[path] = rest.split()
            by_name[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
    with open(f"{base}/modules.builtin") as f:
        builtin = {os.path.basename(row.strip()).split(".ko")[0].replace("-", "_") for row in f}
    order = []

    def visit(path):
        for dep in reversed(deps[path]):
            if dep not in order:
                visit(dep)
        if path not in order:
            order.append(path)

    for name in names:
        if name in by_name:
            visit(by_name[name])
        elif name not in builtin:
            raise RuntimeError(f"the guest kernel {release} has no module {name}")
    return order


def cpio(entries):
    """A newc archive of [(path, mode, bytes)]."""
    out = bytearray()

    def put(ino, path, mode, data, rdev=(0, 0)):
        name = path.encode() + b"\0"
        out.extend(b"070701" + b"".join(b"%08X" % v for v in (
            ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0)))
        out.extend(name)
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(data)
        out.extend(b"\0" * (-len(out) % 4))

    for ino, (path, mode, data) in enumerate(entries, 1):
        put(ino, path, mode, data)
    put(0, "TRAILER!!!", 0, b"")
    return bytes(out)


def compile_guest(source, target, static):
    argv = ["gcc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o", target, source]
    run(argv + (["-static"] if static else []))


def build_image(rootfs, out):
    """Stage two: @rootfs is read only, @out is a new folder that gets root.img, vmlinuz, initrd and release."""
    releases = os.listdir(f"{rootfs}/lib/modules")
    if len(releases) != 1:
        raise RuntimeError(f"expected one kernel in {rootfs}/lib/modules, found {releases}")
    release = releases[0]
    work = f"{out}/work"
    say("copy the root filesystem")
    run(["cp", "-a", "--reflink=auto", rootfs, work])

    for path, data, mode in guest_files():
        if path.endswith(".c"):
            continue
        dest = f"{work}/{path.removeprefix('root/')}"
        os.makedirs(os.path.dirname(dest), exist_ok=True)
        with open(dest, "wb") as f:
            f.write(data)
        os.chmod(dest, mode)
    os.makedirs(f"{work}/usr/lib/stockade-lab", exist_ok=True)
    compile_guest(f"{GUEST}/agent.c", f"{work}/usr/lib/stockade-lab/agent", False)
    os.makedirs(f"{work}/usr/lib/cgi-bin", exist_ok=True)
    compile_guest(f"{GUEST}/append.c", f"{work}/usr/lib/cgi-bin/append", False)
    compile_guest(f"{GUEST}/init.c", f"{out}/init", True)
    run(["chroot", work, "/bin/sh", "/usr/lib/stockade-lab/setup"])

    entries = [("dev", 0o040755, b""), ("proc", 0o040755, b""), ("root", 0o040755, b""), ("m", 0o040755, b"")]
    with open(f"{out}/init", "rb") as f:
        entries.append(("init", 0o100755, f.read()))
    paths = module_closure(rootfs, release, INITRD_MODULES)
    for i, path in enumerate(paths):  # numbered: the init loads them in this order
        with open(f"{rootfs}/lib/modules/{release}/{path}", "rb") as f:
            entries.append((f"m/{i:02d}", 0o100644, f.read()))
    with open(f"{out}/initrd", "wb") as f:
        f.write(cpio(entries))
    shutil.copyfile(f"{rootfs}/boot/vmlinuz-{release}", f"{out}/vmlinuz")
    shutil.rmtree(f"{work}/boot", ignore_errors=True)
    os.makedirs(f"{work}/boot")

    say("make the ext4 file")
    img = f"{out}/root.img"
    with open(img, "wb") as f:
        f.truncate(IMAGE_MIB << 20)
    run(["mkfs.ext4", "-q", "-F", "-L", "lab-root", "-E",
         "lazy_itable_init=1,lazy_journal_init=1", "-d", work, img])
    shutil.rmtree(work)
    os.unlink(f"{out}/init")
    with open(f"{out}/release", "w") as f:
        f.write(release + "\n")


def prune(days=3):
    """Remove images, root filesystems and disks that nobody used for @days (a use touches them)."""
    cache = cache_dir()
    for name in os.listdir(cache):
        path = f"{cache}/{name}"
        if name.startswith(("image-", "rootfs-", "disk-", "accel-")) and time.time() - os.stat(path).st_mtime > days * 86400:
            say(f"remove {path}: not used for {days} days")
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)


def ensure(rebuild=False):
    """Return the folder of the image that belongs to this tree, building what is missing.

    Several processes may ask at once: one builds, the others wait for it.
    """
    cache = cache_dir()
    with open(f"{cache}/image.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds an image; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        rootfs = f"{cache}/rootfs-{rootfs_key()}"
        image = f"{cache}/image-{image_key()}"
        if rebuild:
            for path in (rootfs, image):
                shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(f"{image}/release"):
            os.utime(image)
            if os.path.exists(rootfs):
                os.utime(rootfs)
                os.utime(f"{rootfs}.done")
            prune()
            return image
        if not os.path.exists(f"{rootfs}.done"):
            shutil.rmtree(rootfs, ignore_errors=True)
            build_rootfs(rootfs)
            with open(f"{rootfs}.done", "w") as f:
                f.write("\n".join(debian_sources()) + "\n")
        else:
            say(f"reuse {rootfs}")
        start = time.monotonic()
        tmp = f"{image}.new"
        shutil.rmtree(tmp, ignore_errors=True)
        os.makedirs(tmp)
        build_image(rootfs, tmp)
        shutil.rmtree(image, ignore_errors=True)
        os.rename(tmp, image)
        say(f"image ready in {time.monotonic() - start:.0f} s: {image}")
        return image
