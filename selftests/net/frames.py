#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""frames: any Ethernet frame, right or wrong, out of nested layers.

Reads lines of NAMESPACE DEVICE COUNT GAP_MS FRAME, separated by tabs, and answers each with "ok" when its frame is
sent, or with what is wrong. A FRAME is an expression of the functions below, a layer with its payload as the last
argument: eth("02:...:0b", "02:...:0a", ip4("10.0.1.1", "10.0.1.2", udp(4000, 7, b"hello"))). Checksums and lengths
are right unless told otherwise. Several frames are a Python list.
"""
import ctypes
import errno
import mmap
import os
import random
import socket
import struct
import sys
import time

BROADCAST = "ff:ff:ff:ff:ff:ff"
IPV4, ARP, VLAN, SVLAN, IPV6 = 0x0800, 0x0806, 0x8100, 0x88A8, 0x86DD
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
HOP, ROUTING, FRAGMENT, AH, DESTINATION = 0, 43, 44, 51, 60


class Layer(bytes):
    """Bytes that know their ethertype or protocol number, where their checksum goes, and what it covers."""

    def __new__(cls, data, number=None, checksum_at=None, upper=None, skip=0):
        layer = super().__new__(cls, data)
        layer.number = number
        layer.checksum_at = checksum_at  # None: it has none, or it is in already
        layer.upper = number if upper is None else upper  # protocol in the pseudo header
        layer.skip = skip  # bytes of extension headers before the upper layer
        return layer


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def a4(text):
    return socket.inet_aton(text)


def a6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def t6(packed):
    return socket.inet_ntop(socket.AF_INET6, packed)


def link_local(text):
    """The address that RFC 4291 makes from a MAC."""
    m = mac(text)
    return t6(a6("fe80::")[:8] + bytes([m[0] ^ 2]) + m[1:3] + b"\xff\xfe" + m[3:])


def group_of(text):
    """The solicited-node multicast address of an IPv6 address."""
    return t6(a6("ff02::1:ff00:0")[:13] + a6(text)[13:])


def group_mac(text):
    return "33:33:" + ":".join(f"{b:02x}" for b in a6(text)[12:])


def checksum(data):
    data = bytes(data) + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def numbered(payload, number, default):
    if number is not None:
        return number
    known = getattr(payload, "number", None)
    return default if known is None else known


def finish(ends, payload):
    """With the checksum of TCP, UDP or ICMPv6 filled in."""
    at = getattr(payload, "checksum_at", None)
    if at is None:
        return bytes(payload)
    upper = payload[payload.skip:]
    value = checksum(ends + struct.pack("!II", len(upper), payload.upper) + upper)
    return payload[:at] + struct.pack("!H", value or 0xFFFF) + payload[at + 2:]


def eth(destination, source, payload=b"", type=None):
    return mac(destination) + mac(source) + struct.pack("!H", numbered(payload, type, IPV4)) + payload


def vlan(vid, payload=b"", pcp=0, type=None, as_type=VLAN):
    return Layer(struct.pack("!HH", pcp << 13 | vid, numbered(payload, type, IPV4)) + payload, as_type)


def arp(operation, sender_mac, sender, target_mac, target, hardware=1, cut=28):
    body = struct.pack("!HHBBH", hardware, IPV4, 6, 4, operation)
    body += mac(sender_mac) + a4(sender) + mac(target_mac) + a4(target)
    return Layer(body[:cut], ARP)


def ip4(source, destination, payload=b"", protocol=None, ihl=None, version=4, total=None, fragment=0,
        options=b"", ttl=64, id=1):
    protocol = numbered(payload, protocol, 17)
    length = 20 + len(options) + len(payload)
    ends = a4(source) + a4(destination)
    payload = finish(ends, payload)
    head = struct.pack("!BBHHHBBH", version << 4 | (5 + len(options) // 4 if ihl is None else ihl), 0,
                       length if total is None else total, id, fragment, ttl, protocol, 0) + ends + options
    return Layer(head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload, IPV4)


def ip6(source, destination, payload=b"", protocol=None, version=6, length=None, hops=64):
    protocol = numbered(payload, protocol, 17)
    ends = a6(source) + a6(destination)
    body = finish(ends, payload)
    return Layer(struct.pack("!IHBB", version << 28, len(body) if length is None else length, protocol, hops) +
                 ends + body, IPV6)


def extension(number, payload=b"", next=None, units=0):
    """An IPv6 extension header of 8 + 8 * units bytes, all padding."""
    pad = bytes([1, 4 + 8 * units]) + bytes(4 + 8 * units)
    at = getattr(payload, "checksum_at", None)
    return Layer(bytes([numbered(payload, next, 59), units]) + pad + payload, number,
                 None if at is None else at + 2 + len(pad), getattr(payload, "upper", None),
                 getattr(payload, "skip", 0) + 2 + len(pad))


def fragment6(payload, next=17, offset=0, more=1):
    return Layer(struct.pack("!BBHI", next, 0, offset << 3 | more, 7) + payload, FRAGMENT)


def udp(source, destination, data=b"x" * 20, length=None):
    return Layer(struct.pack("!HHHH", source, destination, 8 + len(data) if length is None else length, 0) + data,
                 17, 6)


def tcp(source, destination, flags=SYN, seq=1000, ack=0, data=b"", offset=5, window=8192):
    return Layer(struct.pack("!HHIIBBHHH", source, destination, seq, ack, offset << 4, flags, window, 0, 0) + data,
                 6, 16)


def crc32c(data):
    """SCTP's (RFC 9260, appendix A)."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def chunk(type, body=b"", flags=0, length=None):
    body = bytes.fromhex(body) if isinstance(body, str) else body
    length = 4 + len(body) if length is None else length
    return struct.pack("!BBH", type, flags, length) + body + bytes(-len(body) % 4)


def init(tag, type=1):
    return chunk(type, struct.pack("!IIHHI", tag, 65536, 10, 10, 1))


def sctp(source, destination, tag, *chunks):
    head, body = struct.pack("!HHI", source, destination, tag), b"".join(chunks)
    return Layer(head + struct.pack("<I", crc32c(head + bytes(4) + body)) + body, 132)


def icmp(type, code=0, id=1, seq=1, data=b"x" * 20):
    body = struct.pack("!BBHHH", type, code, 0, id, seq) + data
    return Layer(body[:2] + struct.pack("!H", checksum(body)) + body[4:], 1)


def icmp6(type, code=0, body=b"\0" * 4):
    return Layer(struct.pack("!BBH", type, code, 0) + body, 58, 2)


def echo6(type=128, id=1, seq=1, data=b"x" * 20):
    return icmp6(type, 0, struct.pack("!HH", id, seq) + data)


def option(type, m):
    return bytes([type, 1]) + mac(m)


def solicit(target, source_mac=None):
    return icmp6(135, 0, bytes(4) + a6(target) + (option(1, source_mac) if source_mac else b""))


def advertise(target, target_mac=None, flags=0x60):
    return icmp6(136, 0, bytes([flags, 0, 0, 0]) + a6(target) + (option(2, target_mac) if target_mac else b""))


def router_advertise(source_mac):
    return icmp6(134, 0, struct.pack("!BBHII", 64, 0, 1800, 0, 0) + option(1, source_mac))


def vxlan(vni, frame, flags=8):
    return struct.pack("!B3xI", flags, vni << 8) + frame


def fnv(name):
    h = 2166136261
    for byte in name.encode():
        h = (h ^ byte) * 16777619 & 0xffffffff
    return h


def nsh(vni, chain, towards, si, judge, instance, tci, frame, base=0x00060103, ttl=63, path=None):
    """VXLAN-GPE and NSH; the chain and the instance by their names."""
    path = (fnv(chain) >> 23 ^ fnv(chain)) & 0x7fffff if path is None else path
    return struct.pack("!BxxBI", 0x0c, 4, vni << 8) + struct.pack(
        "!II4sIII", base | ttl << 22, (path << 1 | towards) << 8 | si, a4(judge), fnv(instance), tci << 16, 0) + frame


def fragments(frame, at=24, id=1):
    """An IPv4 frame without options in two fragments: `at` bytes of its payload, and the rest."""
    def part(payload, flags):
        head = frame[14:16] + struct.pack("!HHH", 20 + len(payload), id, flags) + frame[22:24] + b"\0\0" + frame[26:34]
        return frame[:14] + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload
    return [part(frame[34:34 + at], 0x2000), part(frame[34 + at:], at // 8)]


class Marked(bytes):
    """A frame with a socket's mark."""


def marked(mark, frame):
    frame = Marked(frame)
    frame.mark = mark
    return frame


class Unfinished(bytes):
    """A frame whose sender leaves a checksum, from `start` on, to whoever comes later."""


def unfinished(frame, start, offset=0):
    """The sum of all from `start` on is to be written `offset` bytes behind that."""
    frame = Unfinished(frame)
    frame.start, frame.offset = start, offset
    return frame


def forged(frame, start, value):
    """The checksum is said to stand at `start` itself, and finishing it writes `value` there."""
    frame = bytes(frame[:-2])
    known = ~checksum(frame[start:] + b"\0\0") & 0xFFFF
    return unfinished(frame + struct.pack("!H", ((~value & 0xFFFF) - known) % 0xFFFF), start)


def damage(dice, frame, keep, shortest):
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(keep, len(frame) + 1)
        how = dice.randrange(5)
        if how == 0:
            del frame[at:]
        elif how == 1:
            frame[at:at + 2] = dice.choice((b"\0\0", b"\xff\xff", b"\x81\0", b"\x88\xa8", b"\x86\xdd", b"\x08\6"))
        elif how == 2:
            frame[at:at + 1] = bytes([dice.choice((0, 1, 4, 5, 6, 15, 43, 44, 51, 58, 60, 0x45, 0x4F, 0x80, 0xFF))])
        elif how == 3:
            frame[at:at + 1] = dice.randbytes(1)
        else:
            frame += dice.randbytes(dice.randrange(200))
    return bytes(frame) + bytes(max(0, shortest - len(frame)))


def damaged(seed, count, frames, keep=12, shortest=20):
    """So many of these frames, cut, bent and lengthened behind `keep` bytes; for a seed always the same. What is
    shorter than 20 bytes and has a VLAN's ethertype is dropped by the kernel itself, before any program."""
    dice = random.Random(seed)
    return [damage(dice, bytearray(dice.choice(frames)), keep, shortest) for _ in range(count)]


def noise(seed, count, heads):
    """So many frames that begin as one of the heads, and go on at random."""
    dice = random.Random(seed)
    return [dice.choice(heads) + dice.randbytes(dice.randint(20, 1400)) for _ in range(count)]


CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_VNET_HDR, PACKET_TX_RING = 263, 15, 13
TPACKET_HEADER, TP_STATUS_SEND_REQUEST = 32, 1
libc = ctypes.CDLL(None, use_errno=True)
sockets = {}


def enter(namespace):
    fd = os.open(namespace, os.O_RDONLY)
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), namespace)
    os.close(fd)


def socket_on(namespace, device, protocol=0):
    """A raw socket outlives the stay in its namespace, so each is opened once. Protocol 0 receives nothing."""
    if (namespace, device, protocol) not in sockets:
        enter(namespace)
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        out.bind((device, protocol))
        sockets[namespace, device, protocol] = out
    return sockets[namespace, device, protocol]


class InPages(bytes):
    """A frame of which programs can read the Ethernet header alone at first: the rest lies in pages, as a ring's frames do."""


def transmit_in_pages(namespace, device, frame):
    enter(namespace)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as ring_socket:
        # A block, its size, a frame's, how many
        ring_socket.setsockopt(SOL_PACKET, PACKET_TX_RING, struct.pack("=IIII", 4096, 1, 4096, 1))
        with mmap.mmap(ring_socket.fileno(), 4096) as ring:
            ring_socket.bind((device, 0))
            ring[TPACKET_HEADER:TPACKET_HEADER + len(frame)] = frame
            ring[8:16] = struct.pack("=II", len(frame), len(frame))
            ring[0:8] = struct.pack("=Q", TP_STATUS_SEND_REQUEST)
            ring_socket.send(b"")


def transmit(out, frame):
    mark, start = getattr(frame, "mark", 0), getattr(frame, "start", None)
    if mark:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", mark))
    if start is not None:
        out.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        frame = struct.pack("=BBHHHH", 1, 0, 0, 0, start, frame.offset) + frame
    try:
        out.send(frame)
    except OSError as error:
        # A program at the device's egress dropped it: it was sent, and a counter says where it ended.
        if error.errno != errno.ENOBUFS:
            raise
    if mark:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", 0))
    if start is not None:
        out.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 0)


def send(line):
    namespace, device, count, gap, expression = line.rstrip("\n").split("\t")
    out = socket_on(namespace, device)
    frames = eval(expression)
    for _ in range(int(count)):
        for frame in frames if isinstance(frames, list) else [frames]:
            if isinstance(frame, InPages):
                transmit_in_pages(namespace, device, frame)
            else:
                transmit(out, frame)
            time.sleep(int(gap) / 1000)


def main():
    for line in sys.stdin:
        try:
            send(line)
            print("ok", flush=True)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    main()
