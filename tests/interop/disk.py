# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that takes no more writes: stock sbd beside what storaged writes of the same kind (ref/fencing.md 5.4).

The disk is a loop device of 4 KiB sectors over a file on a tmpfs of its own. A hole is punched where a write will go, and the
tmpfs is filled: reads of the hole are zeros, and a write has no page to go to, so that the block layer returns an error. Reads
and the rest of the disk stay well. Nothing is left behind however this ends: the mount is taken away and the loop device is told
to go with its last user as soon as both are made.
"""
import ctypes
import mmap
import os
import subprocess
import tempfile

from cases import Skip
from lab import BUILD, check, equal, sh
from stock import told

CLAIMS = ("mailbox_write_that_fails_is_never_done",)
SBD = "/usr/sbin/sbd"
AREATEST = os.path.join(BUILD, "tests/interop/areatest")
SECTOR = 4096
MAILBOX = 2 * SECTOR      # of slot 0
AREA = 3 << 20            # behind sbd's 511 sectors: ours
AREA_BYTES = 128 * SECTOR
PUNCH_HOLE_KEEP_SIZE = 3


class Disk:
    """A loop device of 4 MiB; break_at() makes it refuse writes at some places."""

    def __enter__(self):
        if not os.path.exists("/dev/loop-control"):
            raise Skip("this machine has no loop devices")
        where = tempfile.mkdtemp(prefix="stockade-sbd.")
        try:
            sh("mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "none", where)
            try:
                self.dir = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
                self.file = os.open("disk", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=self.dir)
                os.ftruncate(self.file, 4 << 20)
                self.path = sh("losetup", "--find", "--show", "--sector-size", str(SECTOR), f"{where}/disk").strip()
                self.fd = os.open(self.path, os.O_RDWR | os.O_DIRECT | os.O_SYNC)
                sh("losetup", "--detach", self.path)  # with its last user
            finally:
                sh("umount", "--lazy", where)
        finally:
            os.rmdir(where)
        return self

    def __exit__(self, *_):
        for fd in (self.fd, self.file, self.dir):
            os.close(fd)

    def break_at(self, *places):
        libc = ctypes.CDLL(None, use_errno=True)
        for at, size in places:
            r = libc.fallocate(self.file, PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(at), ctypes.c_long(size))
            check(r == 0, f"a hole in a file of tmpfs: {os.strerror(ctypes.get_errno())}")
        fill = os.open("fill", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=self.dir)
        try:
            while True:
                os.write(fill, bytes(SECTOR))
        except OSError:
            pass  # full
        finally:
            os.close(fill)

    def refuses(self, at):
        """Does the kernel return an error of a write there?"""
        page = mmap.mmap(-1, SECTOR)  # aligned
        try:
            os.pwrite(self.fd, page, at)
            return False
        except OSError:
            return True
        finally:
            page.close()


def run(*argv):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return p.returncode, " ".join((p.stdout + p.stderr).split())


def mailbox_write_that_fails_is_never_done():
    """`sbd message NODE off` exits 0 though the disk took nothing; storaged's record and heartbeat are errors there (SAFE-1)."""
    with Disk() as disk:
        # A disk that is well: both can.
        check(not disk.refuses(AREA), "a disk that is well takes writes")
        check(run(SBD, "-d", disk.path, "-1", "1", "-4", "2", "create")[0] == 0, "sbd makes its disk")
        check(run(SBD, "-d", disk.path, "allocate", "node2")[0] == 0, "sbd allocates a slot")
        equal(run(SBD, "-d", disk.path, "message", "node2", "test")[0], 0, "a message that sbd can write")
        check(" test " in run(SBD, "-d", disk.path, "list")[1], "the message is in the mailbox")
        equal(run(AREATEST, disk.path, str(AREA), "1"), (0, "epoch 1 is on the disk"), "ours on a disk that is well")

        disk.break_at((MAILBOX, SECTOR), (AREA, AREA_BYTES))
        check(disk.refuses(MAILBOX) and disk.refuses(AREA), "the kernel returns an error of each write to these places")
        rc, said = run(SBD, "-d", disk.path, "message", "node2", "off")
        there = " off " in run(SBD, "-d", disk.path, "list")[1]
        check(not there, "nothing can be in the mailbox")
        told(f"message off to a mailbox that cannot be written: exit {rc} ({said or 'no word'}), in the mailbox", "off" if there else "nothing",
             rc == 0)
        rc, said = run(AREATEST, disk.path, str(AREA), "2")
        equal(rc, 1, f"ours to the same disk: {said}")
        check("the record is not written" in said and "the heartbeat is not written" in said, f"ours says what is not written: {said}")
