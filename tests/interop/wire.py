# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of fence_xvm and fence_virtd once more, from ref/fencing.md alone and in another language: an independent client, and
hypervisors that lie. Run inside a namespace: wire.py COMMAND ARGUMENT..., prints a line of JSON per fact.
"""
import hashlib
import json
import os
import random
import socket
import struct
import sys
import time

GROUP, PORT = "225.0.0.12", 1229


def keyed(key, data):
    return hashlib.sha256(key + data).digest().ljust(64, b"\0")


def request(key, op, domain, me, port, hashtype=2):
    p = bytearray(176)
    p[0:4] = bytes((op, hashtype, 4, 0))
    p[4:4 + len(domain)] = domain
    p[68:72] = socket.inet_aton(me)
    p[96:98] = struct.pack("<H", port)
    p[98:112] = os.urandom(6) + os.urandom(4) + struct.pack("<I", socket.AF_INET)
    if hashtype:
        p[112:176] = keyed(key, bytes(p))
    return bytes(p)


def say(**what):
    print(json.dumps(what), flush=True)


def udp(me):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind((me, 0))
    u.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(me))
    return u


def listener(me, port=0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((me, port))
    s.listen(16)
    return s


def exactly(c, n):
    b = b""
    while len(b) < n:
        more = c.recv(n - len(b))
        if not more:
            break
        b += more
    return b


def client_talk(c, key):
    """The client's side of a call-back; the result byte or None."""
    c.settimeout(5)
    c.sendall(os.urandom(64))
    got = exactly(c, 128)
    if len(got) < 128:
        return None
    c.sendall(keyed(key, got[64:]))
    r = exactly(c, 1)
    return r[0] if r else None


def answers(s, key, seconds):
    """Result bytes of all call-backs within @seconds."""
    out, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        s.settimeout(max(0.01, end - time.monotonic()))
        try:
            c, _ = s.accept()
        except OSError:
            break
        out.append(client_talk(c, key))
        c.close()
    return out


def cmd_replay(keyfile, me, domain):
    """One signed request three times, another daemon's guest in between: how many call-backs come."""
    with open(keyfile, "rb") as f:
        key = f.read()
    s, u = listener(me), udp(me)
    p = request(key, 1, domain.encode(), me, s.getsockname()[1])
    u.sendto(p, (GROUP, PORT))
    say(first=answers(s, key, 0.7))
    on = request(key, 3, domain.encode(), me, s.getsockname()[1])
    u.sendto(on, (GROUP, PORT))
    say(on=answers(s, key, 0.7))
    for _ in range(3):
        u.sendto(p, (GROUP, PORT))
    say(again=answers(s, key, 0.7))


def cmd_noise(keyfile, me, seed):
    """Requests cut, lengthened, damaged, random; any call-back is one too many."""
    with open(keyfile, "rb") as f:
        key = f.read()
    s, u, rnd = listener(me), udp(me), random.Random(int(seed))
    port, sent = s.getsockname()[1], 0
    for n in list(range(0, 176, 5)) + [175, 177, 200, 1400]:
        u.sendto((request(key, 1, b"test", me, port) + bytes(1400))[:n], (GROUP, PORT))
        sent += 1
    for _ in range(300):
        p = bytearray(request(key, 1, b"test", me, port))
        for _ in range(rnd.randint(1, 8)):
            p[rnd.randrange(176)] ^= 1 << rnd.randrange(8)
        u.sendto(p, (GROUP, PORT))
        u.sendto(rnd.randbytes(176), (GROUP, PORT))
        sent += 2
    weak = request(key, 1, b"test", me, port, hashtype=0)
    u.sendto(weak, (GROUP, PORT))
    long = bytearray(request(key, 1, b"x" * 64, me, port))
    u.sendto(long, (GROUP, PORT))
    got = answers(s, key, 1.0)
    say(sent=sent + 2, answers=[a for a in got if a == 0], calls=len(got))


def cmd_short(keyfile, me, seed):
    """Requests for status that lack their last byte, which is padding: is anybody called back?"""
    with open(keyfile, "rb") as f:
        key = f.read()
    s, u = listener(me), udp(me)
    for _ in range(int(seed)):
        u.sendto(request(key, 4, b"test", me, s.getsockname()[1])[:175], (GROUP, PORT))
        time.sleep(0.05)
    say(answers=answers(s, key, 1.5))


def cmd_later(keyfile, me, wait):
    """An off, an on, and the very datagram of that off again, @wait seconds later, by somebody who holds the key."""
    with open(keyfile, "rb") as f:
        key = f.read()
    s, u = listener(me), udp(me)
    p = request(key, 1, b"test", me, s.getsockname()[1])
    u.sendto(p, (GROUP, PORT))
    say(first=answers(s, key, 1.0))
    u.sendto(request(key, 3, b"test", me, s.getsockname()[1]), (GROUP, PORT))
    say(on=answers(s, key, 1.0))
    time.sleep(float(wait))
    u.sendto(p, (GROUP, PORT))
    say(again=answers(s, key, 1.5))


def cmd_mute(keyfile, me, seconds):
    """It asks, takes the call-back, and says nothing."""
    with open(keyfile, "rb") as f:
        key = f.read()
    s, u = listener(me), udp(me)
    u.sendto(request(key, 4, b"test", me, s.getsockname()[1]), (GROUP, PORT))
    s.settimeout(5)
    c, _ = s.accept()
    say(taken=True)
    time.sleep(float(seconds))
    c.close()


def cmd_rawlist(keyfile, me, rounds):
    """Bytes behind the ends of names, and padding, of each record of a list that are not zero."""
    with open(keyfile, "rb") as f:
        key = f.read()
    s, u = listener(me), udp(me)
    dirty, records = 0, 0
    for _ in range(int(rounds)):
        u.sendto(request(key, 6, b"", me, s.getsockname()[1]), (GROUP, PORT))
        s.settimeout(5)
        c, _ = s.accept()
        if client_talk(c, key) == 0xFD:
            while True:
                r = exactly(c, 130)
                if len(r) < 130 or r[0] == 0:
                    break
                records += 1
                dirty += r[63] != 0 or r[127] != 0 or r[129] != 0
        c.close()
    say(records=records, dirty=dirty)


def cmd_unsigned_tcp(keyfile, host, domain):
    """An unsigned request over TCP, then the challenge: what does the daemon answer with?"""
    with open(keyfile, "rb") as f:
        key = f.read()
    c = socket.create_connection((host, PORT), 5)
    p = bytearray(request(key, 4, domain.encode(), "0.0.0.0", 0, hashtype=0))
    p[2], p[108:112] = 0, bytes(4)
    c.sendall(p)
    try:
        say(result=client_talk(c, key))
    except OSError as e:
        say(result=None, error=str(e))


def host_talk(c, key, good=True):
    """The host's side of the handshake."""
    challenge = exactly(c, 64)
    mine = os.urandom(64)
    c.sendall((keyed(key, challenge) if good else os.urandom(64)) + mine)
    return challenge, mine, exactly(c, 64)


def record(name, uuid, state):
    return name.encode().ljust(64, b"\0") + uuid.encode().ljust(64, b"\0") + bytes((state, 0))


def act(kind, c, key, q):
    """One call-back of a hypervisor that lies as @kind says."""
    if kind == "silent":
        time.sleep(30)
    elif kind == "hangs_up":
        return
    elif kind == "bare_result":
        c.sendall(b"\0")
    elif kind == "bare_off":
        c.sendall(b"\2")
    elif kind == "garbage":
        c.sendall(os.urandom(500))
    elif kind == "wrong_response":
        host_talk(c, key, good=False)
        c.sendall(b"\0")
    elif kind == "reflects":
        challenge = exactly(c, 64)
        c.sendall(keyed(key, challenge) + challenge)
        exactly(c, 64)
        c.sendall(b"\0")
    elif kind == "half_response":
        exactly(c, 64)
        c.sendall(b"x" * 40)
    elif kind == "no_result":
        host_talk(c, key)
    elif kind == "forged_verdict":
        host_talk(c, key)
        c.sendall(b"\2" + b"SKV1" + bytes((2, 2, 0, 0)) + bytes(24) + os.urandom(32))
    elif kind == "half_verdict":
        host_talk(c, key)
        c.sendall(b"\2" + b"SKV1" + bytes(20))
    elif kind == "wild_result":
        host_talk(c, key)
        c.sendall(b"\x63")
    elif kind == "half_list":
        host_talk(c, key)
        c.sendall(b"\xfd" + record("test", "u", 5) + b"half")
    elif kind == "endless_list":
        host_talk(c, key)
        c.sendall(b"\xfd")
        for _ in range(20000):
            c.sendall(record("other", "u", 5))
    elif kind == "done_but_unknown":  # the stock cpg backend about a guest that nobody has
        host_talk(c, key)
        c.sendall({6: b"\xfd" + bytes(130) + b"\1", 4: b"\2"}.get(q[0], b"\0"))
    elif kind == "done_but_on":
        host_talk(c, key)
        c.sendall({6: b"\xfd" + record("test", "u", 1) + bytes(130) + b"\0", 4: b"\0"}.get(q[0], b"\0"))
    elif kind == "paused":
        host_talk(c, key)
        c.sendall({6: b"\xfd" + record("test", "u", 3) + bytes(130) + b"\0", 4: b"\2"}.get(q[0], b"\0"))


def cmd_liar(keyfile, me, kind):
    """A hypervisor at @me that calls back on every request and lies."""
    with open(keyfile, "rb") as f:
        key = f.read()
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    u.bind((GROUP, PORT))
    u.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(me))
    say(ready=True)
    while True:
        q, _ = u.recvfrom(2000)
        address, port = socket.inet_ntoa(q[68:72]), struct.unpack("<H", q[96:98])[0]
        try:
            c = socket.create_connection((address, port), 2)
            c.settimeout(2)
            act(kind, c, key, q)
            c.close()
        except OSError:
            pass


if __name__ == "__main__":
    globals()["cmd_" + sys.argv[1]](*sys.argv[2:])
