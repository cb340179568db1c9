# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the service in a laboratory: what a user outside of the cluster sees.

Both run in a thread of the harness that sits in the lab's network namespace, and keep the host's monotonic clock.
"""
import errno
import selectors
import socket
import threading
import time
import urllib.parse


class Client:
    """A thread in the lab's network namespace; a context manager that ends it."""

    def __init__(self, lab, url):
        self.lab = lab
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.path = parts.hostname, parts.port or 80, parts.path or "/"
        self.ended, self.failure = threading.Event(), None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._main, daemon=True)

    def _main(self):
        try:
            self.lab.enter_netns()
            self.ready.set()
            self.loop()
        except Exception as e:  # told by stop(), in the thread that asks
            self.failure = e
            self.ready.set()

    def __enter__(self):
        self.thread.start()
        self.ready.wait()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        """End the thread; raises what ended it before."""
        self.ended.set()
        self.thread.join()
        if self.failure:
            raise self.failure

    def request(self, path):
        return (f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: stockade-lab\r\n"
                "Connection: close\r\n\r\n").encode()


class Attempt:
    """One GET. ok: a whole answer with status 200; otherwise error says what happened."""

    def __init__(self, start):
        self.start, self.end, self.ok, self.error, self.body = start, None, False, "", b""
        self.sock, self.answer, self.sent = None, bytearray(), False

    def __repr__(self):
        return f"Attempt({self.start:.3f}..{self.end or 0:.3f} {'ok' if self.ok else self.error})"


class HttpProbe(Client):
    """GETs a URL every @interval seconds, each over a connection of its own and without waiting for the one before.

    One connection at a time would hide the moment of return: a lost SYN is sent again only after a second.
    """

    def __init__(self, lab, url, interval=0.1, timeout=3.0):
        super().__init__(lab, url)
        self.interval, self.timeout = interval, timeout
        self.attempts = []  # ended ones, in the order of their ends

    def loop(self):
        sel, at_work = selectors.DefaultSelector(), []
        due = time.monotonic()
        while not self.ended.is_set():
            now = time.monotonic()
            if now >= due:
                due = max(due + self.interval, now)
                self._begin(sel, at_work, now)
            while at_work and now - at_work[0].start > self.timeout:
                self._finish(sel, at_work, at_work[0], "timeout")
            for key, events in sel.select(max(0.0, min(due - time.monotonic(), 0.05))):
                self._go_on(sel, at_work, key.data, events)
        for att in at_work:
            att.sock.close()

    def _begin(self, sel, at_work, now):
        att = Attempt(now)
        att.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        att.sock.setblocking(False)
        at_work.append(att)
        code = att.sock.connect_ex((self.host, self.port))
        if code not in (0, errno.EINPROGRESS):
            self._finish(sel, at_work, att, errno.errorcode.get(code, str(code)), registered=False)
        else:
            sel.register(att.sock, selectors.EVENT_WRITE, att)

    def _go_on(self, sel, at_work, att, _events):
        try:
            if not att.sent:
                code = att.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    return self._finish(sel, at_work, att, errno.errorcode.get(code, str(code)))
                att.sock.send(self.request(self.path))
                att.sent = True
                sel.modify(att.sock, selectors.EVENT_READ, att)
                return None
            data = att.sock.recv(65536)
            if data:
                att.answer += data
                return None
        except BlockingIOError:
            return None
        except OSError as e:
            return self._finish(sel, at_work, att, errno.errorcode.get(e.errno, str(e)))
        head, _, att.body = bytes(att.answer).partition(b"\r\n\r\n")
        status = head.split(b"\r\n", 1)[0].split(b" ")[1:2]
        att.ok = status == [b"200"]
        return self._finish(sel, at_work, att, "" if att.ok else f"status {b''.join(status).decode() or 'none'}")

    def _finish(self, sel, at_work, att, error, registered=True):
        if registered:
            sel.unregister(att.sock)
        att.sock.close()
        at_work.remove(att)
        att.end, att.error = time.monotonic(), error
        self.attempts.append(att)

    def wait_ok(self, timeout, since=None):
        """The first good attempt that began after @since (now, when not given); TimeoutError."""
        since = time.monotonic() if since is None else since
        end = time.monotonic() + timeout
        while time.monotonic() < end and not self.failure:
            for att in reversed(self.attempts):
                if att.ok and att.start >= since:
                    return min((a for a in self.attempts if a.ok and a.start >= since), key=lambda a: a.end)
                if att.end < since:
                    break
            time.sleep(0.02)
        last = self.attempts[-1] if self.attempts else None
        raise TimeoutError(f"no good answer from {self.host}:{self.port}{self.path} within {timeout:.0f} s; last: {last}")

    def outages(self):
        """[(from, to)]: from the end of the last good attempt to the end of the next good one, with a bad one between.

        A bad attempt counts where it began, as it may have waited its whole time limit. to is None while it lasts.
        """
        good = sorted((a.start, a.end) for a in self.attempts if a.ok)
        found = []
        for att in sorted((a for a in self.attempts if not a.ok), key=lambda a: a.start):
            before = [end for start, end in good if start < att.start]
            after = [end for start, end in good if start > att.start]
            row = (before[-1] if before else att.start, after[0] if after else None)
            if row not in found:
                found.append(row)
        return found

    def longest_gap(self, since):
        """(seconds, from, to) of the longest time after @since without the end of a good answer; (0.0, since, since).

        Of an outage of a second or three outages() may see nothing: TCP sends the lost SYN again, and every attempt ends
        well in the end. What a client notices is that no answer comes.
        """
        ends = sorted(a.end for a in list(self.attempts) if a.ok)
        return max(((b - a, a, b) for a, b in zip(ends, ends[1:]) if b > since), default=(0.0, since, since))

    def downtime(self):
        """Seconds of the longest outage, 0.0 without one; inf when the service did not come back."""
        return max(((to - since if to is not None else float("inf")) for since, to in self.outages()), default=0.0)


class Appender(Client):
    """Appends numbered records one after another through the CGI program; a number is never used twice.

    acked holds the numbers that the service acknowledged: each of them must be on the disk for good.
    """

    def __init__(self, lab, url, pause=0.1, timeout=3.0):
        super().__init__(lab, url)
        self.pause, self.timeout = pause, timeout
        self.acked, self.refused = [], []  # [(number, monotonic end, node)], [(number, monotonic end, reason)]

    def loop(self):
        number = 0
        while not self.ended.is_set():
            number += 1
            try:
                node = self._append(number)
                self.acked.append((number, time.monotonic(), node))
            except (OSError, ValueError) as e:
                self.refused.append((number, time.monotonic(), str(e)))
            self.ended.wait(self.pause)

    def _append(self, number):
        end = time.monotonic() + self.timeout
        answer = bytearray()
        with socket.create_connection((self.host, self.port), self.timeout) as s:
            s.sendall(self.request(f"{self.path}?{number}"))
            while True:
                left = end - time.monotonic()
                if left <= 0:
                    raise ValueError("timeout")
                s.settimeout(left)
                data = s.recv(4096)
                if not data:
                    break
                answer += data
        head, _, body = bytes(answer).partition(b"\r\n\r\n")
        body = dechunk(body) if b"chunked" in head.lower() else body
        words = body.decode(errors="replace").split()
        if words[:2] != ["ok", str(number)] or len(words) != 3:
            raise ValueError(f"answer {head[:40]!r} {body[:100]!r}")
        return words[2]

    def missing_from(self, records):
        """Acknowledged numbers that are not in @records, the bytes of records.txt."""
        on_disk = {line.split()[0] for line in records.decode(errors="replace").splitlines() if line.split()}
        return [n for n, _, _ in self.acked if str(n) not in on_disk]


def dechunk(data):
    """The body of a chunked HTTP answer; ValueError when it is cut."""
    out = bytearray()
    while True:
        size, sep, rest = data.partition(b"\r\n")
        if not sep:
            raise ValueError("chunked answer is cut")
        n = int(size.split(b";")[0], 16)
        if n == 0:
            return bytes(out)
        if len(rest) < n + 2:
            raise ValueError("chunked answer is cut")
        out += rest[:n]
        data = rest[n + 2:]
