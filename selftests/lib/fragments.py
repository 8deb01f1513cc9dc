#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fragments: UDP datagrams in pieces, as senders and attackers would send them; all follows from a seed.

fragments.py send FAMILY SEED COUNT CLASS... MACS ADDRESSES: out of eth0 of this network namespace, COUNT datagrams of one
of the classes each; prints how many pieces went to an open port, and how many to a closed one. MACS and ADDRESSES are "destination,source". Datagram N begins with "N ", and goes to port 9001 or
8001 as its number has it.
fragments.py list FAMILY SEED COUNT CLASS... MACS ADDRESSES: those of them that go to the open port, as listen tells.
fragments.py flood FAMILY SECONDS KIND MACS ADDRESSES: pieces of datagrams that never end: KIND first, later or both.
fragments.py listen: says "ready", then for each datagram that arrives whole "PORT N LENGTH CRC".
fragments.py whole FAMILY COUNT BYTES ADDRESS: datagrams that the kernel cuts, to port 9001.
"""
import random
import select
import socket
import struct
import sys
import time
import zlib

sys.path.insert(0, sys.path[0] + "/../net")
import frames  # noqa: E402

PIECE = 1384  # fits 1450 with either family's headers
OPEN, CLOSED = 9001, 8001


def cut(total, pieces, r):
    """Where to cut `total` bytes into so many pieces: multiples of 8."""
    step = (total // pieces + 7) & ~7
    edges = [min(i * step, total) for i in range(pieces)] + [total]
    for i in range(1, pieces):
        edges[i] = min(max(edges[i] + 8 * r.randint(-3, 3), 8), total - 8) & ~7
    return list(zip(edges, edges[1:]))


def order_in(pieces, r):
    return pieces


def order_shuffled(pieces, r):
    return r.sample(pieces, len(pieces))


def order_backwards(pieces, r):
    return pieces[::-1]


def order_duplicates(pieces, r):
    pieces = order_shuffled(pieces, r)
    return [again for piece in pieces for again in [piece] * r.choice([1, 1, 2])]


def order_overlap(pieces, r):
    """A piece with other bytes that lies over the edge of two others, at any time."""
    first, end = r.choice(pieces[1:])
    over = (max(first - 8 * r.randint(1, 4), 0), min(end, first + 8 * r.randint(1, 4)), "forged")
    pieces = order_shuffled(pieces, r)
    pieces.insert(r.randint(0, len(pieces) - 1), over)
    return pieces


def order_missing(pieces, r):
    pieces = order_shuffled(pieces, r)
    del pieces[r.randrange(len(pieces))]
    return pieces


def order_scattered(pieces, r):
    return pieces[::2] + pieces[1::2]


CLASSES = {"in": (order_in, 2, 6), "shuffled": (order_shuffled, 2, 6), "backwards": (order_backwards, 2, 8),
           "duplicates": (order_duplicates, 2, 6), "overlap": (order_overlap, 2, 6), "missing": (order_missing, 2, 6),
           "scattered": (order_scattered, 12, 14), "far_backwards": (order_backwards, 12, 14)}


def datagram(n, length, family, source, destination, r):
    """Without a checksum where that may be, or the receiver would find out what was put together wrongly."""
    port = OPEN if r.random() < 0.7 else CLOSED
    data = b"%d " % n
    data += bytes(r.getrandbits(8) for _ in range(length - len(data)))
    udp = frames.udp(4000 + n % 1000, port, data)
    if family == 4:
        return bytes(udp)
    return bytes(frames.ip6(source, destination, udp))[40:]


def fragment(body, first, end, ident, family, ends, macs):
    more = end < len(body)
    if family == 4:
        part = frames.ip4(ends[1], ends[0], body[first:end], protocol=17, fragment=first // 8 | more << 13)
        head = part[:4] + struct.pack("!H", ident & 0xFFFF) + part[6:10] + b"\0\0" + part[12:20]
        packet = frames.Layer(head[:10] + struct.pack("!H", frames.checksum(head)) + head[12:] + part[20:], frames.IPV4)
    else:
        header = struct.pack("!BBHI", 17, 0, first | more, ident)
        packet = frames.ip6(ends[1], ends[0], frames.Layer(header + body[first:end], frames.FRAGMENT))
    return frames.eth(macs[0], macs[1], packet)


def device():
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind(("eth0", 0))
    return out


def made(family, seed, count, classes, ends):
    """Each datagram, and its pieces in their order; the bytes of a forged one are others."""
    for n in range(count):
        r = random.Random(f"{seed} {n}")
        order, least, most = CLASSES[r.choice(classes)]
        pieces = r.randint(least, most)
        length = r.randint(pieces * 64, pieces * (PIECE - 64)) if least < 12 else pieces * 96
        body = datagram(n, length, family, ends[1], ends[0], r)
        yield n, body, order(cut(len(body), pieces, r), r)


def port_of(body):
    return struct.unpack_from("!H", body, 2)[0]


def send(family, seed, count, classes, macs, ends):
    out, sent = device(), {OPEN: 0, CLOSED: 0}
    for n, body, pieces in made(family, seed, count, classes, ends):
        for first, end, *forged in pieces:
            bytes_of = bytes(255 - b for b in body) if forged else body
            out.send(fragment(bytes_of, first, end, seed * 1000 + n, family, ends, macs))
            sent[port_of(body)] += 1
        time.sleep(0.0005)
    print(sent[OPEN], sent[CLOSED])


def tell(port, data):
    print(port, data.split(b" ", 1)[0].decode(errors="replace"), len(data), zlib.crc32(data), flush=True)


def list_open(family, seed, count, classes, macs, ends):
    for _, body, _ in made(family, seed, count, classes, ends):
        if port_of(body) == OPEN:
            tell(OPEN, body[8:])


def flood(family, seconds, kind, macs, ends):
    out, sent, ident = device(), 0, 0
    body = bytes(datagram(0, 64, family, ends[1], ends[0], random.Random(0)))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(50):
            ident += 1
            if kind != "later":
                out.send(fragment(body, 0, 32, ident, family, ends, macs))
            if kind != "first":
                out.send(fragment(body, 32, 64, ident + (kind == "both") * 40000, family, ends, macs))
            sent += 1
    print(sent)


def listen():
    ports = []
    for family, any_address in (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"):
        for port in OPEN, CLOSED:
            one = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            one.bind((any_address, port))
            ports.append(one)
    print("ready", flush=True)
    while True:
        for one in select.select(ports, [], [])[0]:
            tell(one.getsockname()[1], one.recv(65536))


def whole(family, count, length, address):
    out = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    for n in range(count):
        out.sendto(b"%d " % n + b"x" * (length - 8), (address, OPEN))
        time.sleep(0.001)


def main(verb, *words):
    if verb == "listen":
        listen()
    elif verb == "whole":
        whole(int(words[0]), int(words[1]), int(words[2]), words[3])
    elif verb == "flood":
        flood(int(words[0]), float(words[1]), words[2], words[3].split(","), words[4].split(","))
    else:
        what = {"send": send, "list": list_open}[verb]
        what(int(words[0]), int(words[1]), int(words[2]), list(words[3:-2]), words[-2].split(","), words[-1].split(","))


main(*sys.argv[1:])
