#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""streams: TCP as real ends speak it, between two network namespaces.

    streams.py SERVER_NETNS CLIENT_NETNS ADDRESS TALK [NAME=VALUE]...

Says "ok", or what went wrong. Talks: both (bytes=N each way at once, then half-closed: the server's sum comes back over
the closed half), slow (a reader that leaves the window closed for a while), idle (keep-alives), reuse (count=N
connections from one port, closed by the server first), fastopen (data on the SYN), hold (keeps a connection open, says
its client's port, and ends with "ok" when a line comes and data still passes).
"""
import ctypes
import errno
import hashlib
import os
import socket
import sys
import threading
import time

PORT = 80
CLONE_NEWNET = 0x40000000
TCP_FASTOPEN, MSG_FASTOPEN, TCP_SYN_DATA = 23, 0x20000000, 5


def enter(netns):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(netns) as f:
        if libc.setns(f.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), netns)


def listener(address, window=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if window:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    s.bind((address, PORT))
    s.listen(16)
    s.settimeout(20)
    return s


def client(address):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(30)
    return s


def pour(s, size, salt):
    block = hashlib.sha512(salt).digest() * 1024
    total = hashlib.sha256()
    while size > 0:
        part = block[:size]
        s.sendall(part)
        total.update(part)
        size -= len(part)
    return total.digest()


def drain(s, size):
    total = hashlib.sha256()
    while size > 0:
        part = s.recv(min(size, 1 << 20))
        if not part:
            raise EOFError(f"{size} bytes are missing")
        total.update(part)
        size -= len(part)
    return total.digest()


def until_end(s):
    parts = []
    while part := s.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


class Server(threading.Thread):
    """A thread has a network namespace of its own."""

    def __init__(self, netns, address, serve, **options):
        super().__init__(daemon=True)
        self.netns, self.address, self.serve, self.options = netns, address, serve, options
        self.ready, self.error = threading.Event(), None
        self.start()
        self.ready.wait(10)

    def run(self):
        try:
            enter(self.netns)
            s = listener(self.address, **self.options)
            self.ready.set()
            self.serve(s)
        except Exception as e:  # told by the other thread
            self.error = e

    def end(self):
        self.join(60)
        if self.error:
            raise self.error
        if self.is_alive():
            raise TimeoutError("the server does not end")


def accept(s):
    c, _ = s.accept()
    c.settimeout(30)
    return c


def both(server, where, size=8000000):
    size = int(size)

    def serve(s):
        c = accept(s)
        writer = threading.Thread(target=pour, args=(c, size, b"server"), daemon=True)
        writer.start()
        total = drain(c, size)
        if c.recv(1):
            raise EOFError("more than was sent")
        writer.join(60)
        c.sendall(total)
        c.close()

    peer = Server(server, where, serve)
    c = client(where)
    c.connect((where, PORT))
    sums = {}
    writer = threading.Thread(target=lambda: sums.update(sent=pour(c, size, b"client")), daemon=True)
    writer.start()
    drain(c, size)
    writer.join(60)
    c.shutdown(socket.SHUT_WR)
    if until_end(c) != sums["sent"]:
        raise ValueError("the sums differ")
    peer.end()


def slow(server, where):
    def serve(s):
        c = accept(s)
        time.sleep(1)
        drain(c, 300000)
        c.sendall(b"done")
        c.close()

    peer = Server(server, where, serve, window=4096)
    c = client(where)
    c.connect((where, PORT))
    pour(c, 300000, b"slow")
    if until_end(c) != b"done":
        raise ValueError("no answer")
    peer.end()


def echo_once(s):
    c = accept(s)
    c.sendall(c.recv(100))
    c.close()


def idle(server, where):
    peer = Server(server, where, echo_once)
    c = client(where)
    for name, value in (("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2)):
        c.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    c.connect((where, PORT))
    time.sleep(2.5)
    c.sendall(b"still here")
    if until_end(c) != b"still here":
        raise ValueError("no answer")
    peer.end()


def from_port(port, where, seconds=20):
    """A connection from that port, as soon as the FIN of the one before is acknowledged: until then it is in use."""
    end = time.monotonic() + seconds
    while True:
        c = client(where)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        c.bind(("", port))
        try:
            c.connect((where, PORT))
            return c
        except OSError as e:
            if e.errno != errno.EADDRNOTAVAIL or time.monotonic() > end:
                raise
        c.close()
        time.sleep(0.02)


def reuse(server, where, count=20):
    def serve(s):
        for _ in range(int(count)):
            c = accept(s)
            c.sendall(b"bye")
            c.shutdown(socket.SHUT_WR)
            c.recv(10)
            c.close()

    peer = Server(server, where, serve)
    for _ in range(int(count)):
        c = from_port(33333, where)
        if until_end(c) != b"bye":
            raise ValueError("no answer")
        c.close()
        time.sleep(0.05)
    peer.end()


def fastopen(server, where):
    def serve(s):
        for _ in range(3):
            c = accept(s)
            c.sendall(b"got " + c.recv(100) + b"x" * 5000)
            c.close()

    peer = Server(server, where, serve)
    for _ in range(3):
        c = client(where)
        # Else the first of them, which has no cookie yet, says that it is not done.
        c.settimeout(None)
        c.sendto(b"early", MSG_FASTOPEN, (where, PORT))
        if until_end(c) != b"got early" + b"x" * 5000:
            raise ValueError("no answer")
        # tcpi_options: the data was on the SYN, and acknowledged
        with_data = c.getsockopt(socket.IPPROTO_TCP, 11, 8)[5] & 32
        c.close()
    if not with_data:
        raise ValueError("no data on the SYN")
    peer.end()


def hold(server, where):
    peer = Server(server, where, echo_once)
    c = client(where)
    c.connect((where, PORT))
    print(c.getsockname()[1], flush=True)
    sys.stdin.readline()
    c.sendall(b"still here")
    if until_end(c) != b"still here":
        raise ValueError("no answer")
    peer.end()


def main():
    server, own, where, talk = sys.argv[1:5]
    options = dict(a.split("=") for a in sys.argv[5:])
    enter(own)
    try:
        globals()[talk](server, where, **options)
    except Exception as e:
        print(f"{talk}: {type(e).__name__}: {e}")
        return 1
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
