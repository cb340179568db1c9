# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's end of the command channel into a guest (the guest's end: guest/agent.c, which has the format).

A guest has PORTS virtio-serial ports, each a UNIX socket of QEMU on the host. A session takes a free port by a lock
on a file beside the socket, so that any number of processes share a guest without a daemon between them, and a
process that is killed gives its port back.
"""
import fcntl
import os
import random
import select
import signal
import socket
import struct
import sys
import time

PORTS = 6
MAGIC = 0x42414C53
HEADER = struct.Struct("<IIII")
EXEC, IN, SIGNAL, WINSIZE, CLOCK, SETTIME, OUT, ERR, EXIT, FAIL = range(1, 11)
EXEC_TTY = 1


class NodeSilent(Exception):
    """The guest does not answer: it is off, paused, crashed, or still booting. Nothing was run in it."""


class NodeLost(Exception):
    """The guest stopped answering (or the time limit passed) while a command ran in it."""


class Result:
    """What a command did. out and err are text; raw is the bytes of out."""

    def __init__(self, code, out, err):
        self.code, self.raw = code, out
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")

    def __repr__(self):
        return f"Result(code={self.code}, out={self.out!r}, err={self.err!r})"


class Session:
    """One request over one port. Use as a context manager."""

    def __init__(self, base, timeout):
        """@base: path prefix of the guest's sockets (BASE.P and BASE.P.lock); @timeout: seconds to get an answer."""
        self.deadline = time.monotonic() + timeout
        self.base, self.lock, self.sock = base, None, None
        self.id = random.getrandbits(32)
        self.buf = bytearray()

    def __enter__(self):
        try:
            self._take_port()
            self.rtt_clock = self.ask(CLOCK, b"")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        if self.sock:
            self.sock.close()
        if self.lock is not None:
            os.close(self.lock)
        self.sock = self.lock = None

    def _take_port(self):
        while True:
            for port in range(PORTS):
                path = f"{self.base}.{port}"
                fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(fd)
                    continue
                self.lock = fd
                self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    self.sock.connect(path)
                except OSError as e:
                    raise NodeSilent(f"{os.path.basename(self.base)} has no channel: is it running? ({e.strerror})") from None
                return
            if time.monotonic() > self.deadline:
                raise NodeSilent(f"all {PORTS} ports of {os.path.basename(self.base)} are taken")
            time.sleep(0.02)

    def send(self, kind, data):
        self.sock.settimeout(max(0.01, self.deadline - time.monotonic()))
        try:
            self.sock.sendall(HEADER.pack(MAGIC, self.id, kind, len(data)) + data)
        except (TimeoutError, OSError) as e:
            raise NodeSilent(f"{os.path.basename(self.base)} takes no input: {e}") from None

    def frame(self):
        """A whole frame (kind, bytes) of this session from what was received, or None."""
        while True:
            at = self.buf.find(struct.pack("<I", MAGIC))
            if at < 0:
                del self.buf[:-3]
                return None
            del self.buf[:at]
            if len(self.buf) < HEADER.size:
                return None
            _, session, kind, length = HEADER.unpack_from(self.buf)
            if length > 1 << 20:  # not a header after all
                del self.buf[:4]
                continue
            if len(self.buf) < HEADER.size + length:
                return None
            data = bytes(self.buf[HEADER.size:HEADER.size + length])
            del self.buf[:HEADER.size + length]
            if session == self.id:
                return kind, data

    def receive(self):
        """Read what is there into the buffer; False at the end of the stream."""
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionError:
            return False
        self.buf += data
        return bool(data)

    def ask(self, kind, data):
        """Send a request that has one answer of the same kind (CLOCK, SETTIME -> CLOCK); (real ns, mono ns, sent, got)."""
        sent = time.monotonic_ns()
        self.send(kind, data)
        while True:
            got = self.frame()
            if got and got[0] == CLOCK:
                now = time.monotonic_ns()
                return (*struct.unpack("<qq", got[1]), sent, now)
            if got:
                continue
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise NodeSilent(f"{os.path.basename(self.base)} does not answer")
            if not self.receive():
                raise NodeSilent(f"{os.path.basename(self.base)} hung up")


def run(base, argv, stdin=b"", timeout=60.0, on_out=None):
    """Run argv in the guest with these bytes as its input; Result. @on_out(bytes): called with output as it comes.

    Raises NodeSilent when the guest did not answer within 5 s (then nothing ran), NodeLost when it went away later.
    """
    with Session(base, min(timeout, 5.0)) as s:
        s.deadline = time.monotonic() + timeout
        s.send(EXEC, struct.pack("<I", 0) + b"".join(os.fsencode(a) + b"\0" for a in argv))
        out, err = bytearray(), bytearray()
        pending = memoryview(b"".join(
            HEADER.pack(MAGIC, s.id, IN, len(stdin[i:i + 65536])) + stdin[i:i + 65536]
            for i in range(0, len(stdin), 65536)) + HEADER.pack(MAGIC, s.id, IN, 0))
        s.sock.setblocking(False)
        while True:
            got = s.frame()
            if got:
                kind, data = got
                if kind == OUT:
                    out += data
                    if on_out:
                        on_out(data)
                elif kind == ERR:
                    err += data
                elif kind == EXIT:
                    return Result(struct.unpack("<i", data)[0], bytes(out), bytes(err))
                elif kind == FAIL:
                    raise NodeLost(f"the agent refused {argv[0]}: {data.decode()}")
                continue
            left = s.deadline - time.monotonic()
            name = os.path.basename(base)
            if left <= 0:
                raise NodeLost(f"{' '.join(argv)} in {name}: no end within {timeout:.0f} s; so far: {bytes(out)[-500:]!r} {bytes(err)[-500:]!r}")
            r, w, _ = select.select([s.sock], [s.sock] if pending else [], [], left)
            if w:
                try:
                    pending = pending[s.sock.send(pending[:65536]):]
                except BlockingIOError:
                    pass
                except OSError as e:
                    raise NodeLost(f"{name} went away during {argv[0]}: {e}") from None
            if r and not s.receive():
                raise NodeLost(f"{name} went away during {' '.join(argv)}")


def fire(base, argv, gone):
    """Start a command that ends the guest, and hold the line until gone(when it was sent) says that it did.

    Holding on matters: a hang-up would kill the command, which on a busy machine has not begun yet.
    """
    with Session(base, 5.0) as s:
        sent = time.monotonic()
        s.send(EXEC, struct.pack("<I", 0) + b"".join(os.fsencode(a) + b"\0" for a in argv))
        gone(sent)
        return sent


def clock(base, timeout=5.0, settime_ns=None):
    """(offset_ns, error_ns, guest monotonic ns): offset = guest CLOCK_REALTIME minus host CLOCK_MONOTONIC, at best of 5."""
    best = None
    with Session(base, timeout) as s:
        if settime_ns is not None:
            s.ask(SETTIME, struct.pack("<q", settime_ns()))
        for _ in range(5):
            real, mono, sent, got = s.ask(CLOCK, b"")
            half = (got - sent) // 2
            if best is None or half < best[1]:
                best = (real - (sent + half), half, mono - (sent + half))
    return best


def interactive(base, argv):
    """Run argv on a terminal of the guest, joined to ours; its exit code."""
    import termios
    import tty
    with Session(base, 5.0) as s:
        s.deadline = time.monotonic() + 1e9
        s.send(EXEC, struct.pack("<I", EXEC_TTY) + b"".join(os.fsencode(a) + b"\0" for a in argv))

        def resize(*_):
            size = os.get_terminal_size(sys.stdin.fileno())
            s.send(WINSIZE, struct.pack("<HH", size.lines, size.columns))

        is_tty = sys.stdin.isatty()
        saved = termios.tcgetattr(0) if is_tty else None
        sources = [s.sock, sys.stdin]
        try:
            if is_tty:
                tty.setraw(0)
                signal.signal(signal.SIGWINCH, resize)
                resize()
            while True:
                got = s.frame()
                if got:
                    if got[0] == OUT:
                        os.write(1, got[1])
                    elif got[0] == EXIT:
                        return struct.unpack("<i", got[1])[0]
                    elif got[0] == FAIL:
                        raise NodeLost(got[1].decode())
                    continue
                ready = select.select(sources, [], [])[0]
                if s.sock in ready and not s.receive():
                    raise NodeLost(f"{os.path.basename(base)} went away")
                if sys.stdin in ready:
                    data = os.read(0, 4096)
                    s.send(IN, data)
                    if not data:
                        sources.remove(sys.stdin)
        finally:
            if saved:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
