# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote what to the shared disk, and when: read off the cable.

A thread in the lab's network namespace takes the frames of each node's storage tap, follows the TCP streams to the
iSCSI target and notes every SCSI WRITE that a node sends: the truth that no daemon can embellish. A node's frames
appear on its tap also while it is cut (the cut drops them behind the tap), so `cut` tells what was sent, and the target
may have less; for "did not write" that is the stronger claim.
"""
import select
import socket
import struct
import threading
import time

ETH_P_ALL = 3
PORT = 3260
SOL_PACKET, PACKET_STATISTICS = 263, 6
BHS = 48
SCSI_COMMAND, WRITE_BIT = 0x01, 0x20
WRITES = {0x0A: 6, 0x2A: 10, 0x8A: 16, 0x89: 16, 0x41: 10, 0x42: 10, 0x93: 16}


class Write:
    """One SCSI command that changes the disk. at: host's monotonic seconds; lba, blocks: 512 byte blocks."""

    def __init__(self, node, at, opcode, lba, blocks):
        self.node, self.at, self.opcode, self.lba, self.blocks = node, at, opcode, lba, blocks

    def __repr__(self):
        return f"Write({self.node} at {self.at:.3f}, opcode {self.opcode:#x}, lba {self.lba} +{self.blocks})"


class Stream:
    """One direction of one TCP connection, cut into iSCSI PDUs."""

    def __init__(self, seq):
        self.next, self.early, self.buf, self.skip = seq, {}, bytearray(), 0

    def feed(self, seq, data):
        """Take a segment; yields the header (and CDB) of each PDU that begins in what is now in order."""
        self.early[seq] = max(self.early.get(seq, b""), data, key=len)
        while True:
            ready = [s for s in self.early if ((s - self.next + (1 << 31)) % (1 << 32)) - (1 << 31) <= 0]
            if not ready:
                return
            for s in ready:
                part = self.early.pop(s)
                old = (self.next - s) % (1 << 32)
                if old < len(part):
                    self.buf += part[old:]
                    self.next = (self.next + len(part) - old) % (1 << 32)
            yield from self._pdus()

    def _pdus(self):
        while True:
            drop = min(self.skip, len(self.buf))
            del self.buf[:drop]
            self.skip -= drop
            if self.skip or len(self.buf) < BHS:
                return
            head = bytes(self.buf[:BHS])
            data = int.from_bytes(head[5:8], "big")
            self.skip = BHS + head[4] * 4 + data + (-data % 4)
            yield head


class Wire:
    """Follows all nodes' storage links from its start to stop(). Start it before the nodes log in."""

    def __init__(self, lab, link=1):
        self.lab, self.link = lab, link
        self.writes, self.failure = [], None
        self.last_sent = {}  # node: when it last sent any byte to the target, repeated ones too
        self.ended, self.ready = threading.Event(), threading.Event()
        self.missed = 0  # frames that the kernel dropped for lack of room: any makes "did not write" unknown
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.thread.start()
        self.ready.wait()
        if self.failure:
            raise self.failure

    def _main(self):
        try:
            self.lab.enter_netns()
            socks = {}
            self.ready.set()
            while not self.ended.is_set():
                self._follow_taps(socks)
                for s in select.select(list(socks), [], [], 0.2)[0]:
                    self._read(s, *socks[s])
            for s in socks:
                self._count_missed(s)
                s.close()
        except Exception as e:  # told by stop()
            self.failure = e
            self.ready.set()

    def _follow_taps(self, socks):
        """A guest that starts again has a new tap of the same name."""
        have = {idx: s for s, (_, idx, _) in socks.items()}
        for node in self.lab.nodes.values():
            try:
                idx = socket.if_nametoindex(node.tap(self.link))
            except OSError:
                continue
            if idx not in have:
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
                s.bind((node.tap(self.link), ETH_P_ALL))
                s.setblocking(False)
                socks[s] = (node.name, idx, {})
        for s, (name, idx, _) in list(socks.items()):
            try:
                socket.if_indextoname(idx)
            except OSError:
                self._drain_and_close(socks, s)

    def _drain_and_close(self, socks, s):
        self._read(s, *socks[s])
        self._count_missed(s)
        s.close()
        del socks[s]

    def _count_missed(self, s):
        self.missed += struct.unpack("II", s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def _read(self, s, name, _idx, streams):
        while True:
            try:
                frame = s.recv(1 << 17)
            except BlockingIOError:
                return
            except OSError:  # the interface went
                return
            self._frame(name, streams, frame, time.monotonic())

    def _frame(self, name, streams, frame, at):
        if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
            return
        tcp = 14 + (frame[14] & 15) * 4
        end = 14 + int.from_bytes(frame[16:18], "big")
        sport, dport, seq = struct.unpack_from("!HHI", frame, tcp)
        if dport != PORT:
            return
        if frame[tcp + 13] & 2:  # SYN
            streams[sport] = Stream((seq + 1) % (1 << 32))
            return
        data = frame[tcp + (frame[tcp + 12] >> 4) * 4:end if end > tcp else len(frame)]
        if not data:
            return
        self.last_sent[name] = at
        if sport not in streams:
            return
        for head in streams[sport].feed(seq, data):
            if head[0] & 0x3F == SCSI_COMMAND and head[1] & WRITE_BIT and head[32] in WRITES:
                size = WRITES[head[32]]
                if size == 16:
                    lba, blocks = struct.unpack_from("!QI", head, 34)
                elif size == 10:
                    lba, = struct.unpack_from("!I", head, 34)
                    blocks, = struct.unpack_from("!H", head, 39)
                else:
                    lba = int.from_bytes(head[33:36], "big") & 0x1FFFFF
                    blocks = head[36] or 256
                self.writes.append(Write(name, at, head[32], lba, blocks))

    def stop(self):
        self.ended.set()
        self.thread.join()
        if self.failure:
            raise self.failure

    def by(self, node, since=0.0, extents=None):
        """Writes of a node after @since; with @extents [(byte offset, bytes)], only those that touch them."""
        return [w for w in list(self.writes) if w.node == node and w.at >= since and (extents is None or any(
            w.lba * 512 < off + size and off < (w.lba + w.blocks) * 512 for off, size in extents))]


def runs(wire, extents):
    """[(node, first, last, writes)]: the writes to @extents in order, cut where another node takes over (SAFE-1).

    Each owner of the volume is one run; two nodes that write in the same period make many.
    """
    found = []
    for w in sorted((w for n in wire.lab.nodes.values() for w in wire.by(n.name, extents=extents)), key=lambda w: w.at):
        if not found or found[-1][0] != w.node:
            found.append([w.node, w.at, w.at, 0])
        found[-1][2] = w.at
        found[-1][3] += 1
    return [tuple(r) for r in found]

