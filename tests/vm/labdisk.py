# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared disk seen from outside: a logical volume read out of the LUN's backing file, without LVM or a kernel.

The harness may run on a kernel without device-mapper, and must not trust what the nodes say about their disk. So it
reads the LVM2 label and metadata text itself (linear segments only) and hands the volume's bytes to e2fsprogs.
"""
import os
import re
import struct
import subprocess
import tempfile

SECTOR = 512


class DiskError(Exception):
    """The disk does not hold what was looked for; the message says what is there."""


def metadata_text(f):
    """The text of the newest metadata in the first physical volume label of the file object."""
    f.seek(0)
    head = f.read(4 * SECTOR)
    for at in range(0, len(head), SECTOR):
        if head[at:at + 8] == b"LABELONE":
            break
    else:
        raise DiskError("no LVM label in the first four sectors")
    header = at + struct.unpack_from("<I", head, at + 20)[0]
    pos = header + 32 + 8  # uuid, device size
    areas = []
    for _ in range(2):  # data areas, then metadata areas, each ended by a zero row
        rows = []
        while True:
            offset, size = struct.unpack_from("<QQ", head, pos)
            pos += 16
            if offset == 0:
                break
            rows.append((offset, size))
        areas.append(rows)
    if not areas[1]:
        raise DiskError("the physical volume has no metadata area")
    start, size = areas[1][0]
    f.seek(start)
    mda = f.read(size)
    if mda[4:20] != b" LVM2 x[5A%r0N*>":
        raise DiskError("no LVM2 metadata header")
    offset, length = struct.unpack_from("<QQ", mda, 40)
    if offset == 0:
        raise DiskError("the physical volume belongs to no volume group")
    text = mda[offset:offset + length]
    if len(text) < length:  # the area is a ring behind its first sector
        text += mda[SECTOR:SECTOR + length - len(text)]
    return text.rstrip(b"\0").decode()


TOKEN = re.compile(r'(#[^\n]*)|("(?:[^"\\]|\\.)*"|[{}\[\]=,]|[^\s{}\[\]=,"#]+)')


def parse_metadata(text):
    """LVM's configuration text as nested dicts."""
    tokens = [m[2] for m in TOKEN.finditer(text) if not m[1]]
    at = 0

    def value():
        nonlocal at
        tok = tokens[at]
        at += 1
        if tok == "[":
            rows = []
            while tokens[at] != "]":
                rows.append(value())
                if tokens[at] == ",":
                    at += 1
            at += 1
            return rows
        if tok.startswith('"'):
            return tok[1:-1]
        return int(tok) if re.fullmatch(r"-?\d+", tok) else tok

    def section():
        nonlocal at
        rows = {}
        while at < len(tokens) and tokens[at] != "}":
            name, kind = tokens[at], tokens[at + 1]
            at += 2
            if kind == "{":
                rows[name] = section()
                at += 1
            elif kind == "=":
                rows[name] = value()
            else:
                raise DiskError(f"LVM metadata: {kind!r} after {name!r}")
        return rows

    return section()


def lv_extents(f, vg, lv):
    """[(byte offset in the file, bytes)] of a linear volume on one physical volume, in order."""
    meta = parse_metadata(metadata_text(f))
    if vg not in meta:
        names = [k for k, v in meta.items() if isinstance(v, dict)]
        raise DiskError(f"the disk has volume group {names}, not {vg}")
    group = meta[vg]
    if lv not in group.get("logical_volumes", {}):
        raise DiskError(f"{vg} has volumes {list(group.get('logical_volumes', {}))}, not {lv}")
    extent = group["extent_size"] * SECTOR
    pvs = group["physical_volumes"]
    if len(pvs) != 1:
        raise DiskError(f"{vg} has {len(pvs)} physical volumes; this reader knows one")
    (pe_start,) = (pv["pe_start"] * SECTOR for pv in pvs.values())
    volume, rows = group["logical_volumes"][lv], []
    segments = sorted((v for k, v in volume.items() if k.startswith("segment") and isinstance(v, dict)),
                      key=lambda s: s["start_extent"])
    for seg in segments:
        if seg["type"] != "striped" or seg["stripe_count"] != 1:
            raise DiskError(f"{vg}/{lv} is not linear")
        rows.append((pe_start + seg["stripes"][1] * extent, seg["extent_count"] * extent))
    return rows


def extract(disk, vg, lv, out):
    """Copy the volume into a sparse file @out."""
    with open(disk, "rb") as f, open(out, "wb") as g:
        for offset, length in lv_extents(f, vg, lv):
            f.seek(offset)
            while length:
                data = f.read(min(length, 1 << 20))
                if not data:
                    raise DiskError(f"{disk} ends inside of {vg}/{lv}")
                if data.count(0) == len(data):
                    g.seek(len(data), os.SEEK_CUR)
                else:
                    g.write(data)
                length -= len(data)
        g.truncate(g.tell())


class Volume:
    """A copy of the volume as it is now; a context manager that removes the copy."""

    def __init__(self, disk, vg, lv, dir=None):
        self.disk, self.vg, self.lv, self.dir = disk, vg, lv, dir or os.path.dirname(disk)

    def __enter__(self):
        fd, self.path = tempfile.mkstemp(prefix="volume-", dir=self.dir)
        os.close(fd)
        try:
            extract(self.disk, self.vg, self.lv, self.path)
        except BaseException:
            os.unlink(self.path)
            raise
        return self

    def __exit__(self, *exc):
        os.unlink(self.path)

    def fsck(self):
        """(exit code, output) of e2fsck -fn: 0 is clean. A volume that is mounted or crashed has a journal to replay."""
        res = subprocess.run(["e2fsck", "-fn", self.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        return res.returncode, res.stdout

    def read(self, path):
        """The bytes of a file of the ext4 (path from its root)."""
        res = subprocess.run(["debugfs", "-R", f"cat {path}", self.path], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if res.returncode or b"File not found" in res.stderr:
            raise DiskError(f"{path}: {res.stderr.decode(errors='replace').strip()}")
        return res.stdout


def digest_blocks(disk):
    """{offset: hash} of the file's non-empty MiB, to see whether anything at all was written between two looks."""
    import hashlib
    found = {}
    with open(disk, "rb") as f:
        while data := f.read(1 << 20):
            if data.count(0) != len(data):
                found[f.tell() - len(data)] = hashlib.sha256(data).hexdigest()
    return found
