#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ahead: what bpftool cannot do: ahead.py attach|detach DEVICE ingress|egress PIN puts a program at the head of a TCX
hook, or takes it away; ahead.py update LINK PIN gives a pinned link another program."""
import ctypes
import os
import platform
import socket
import struct
import sys

BPF_OBJ_GET, BPF_PROG_ATTACH, BPF_PROG_DETACH, BPF_LINK_UPDATE = 7, 8, 9, 29
TCX = {"ingress": 46, "egress": 47}
BPF_F_BEFORE = 1 << 3
NUMBER = {"x86_64": 321, "aarch64": 280}[platform.machine()]

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(NUMBER, command, room, 128)
    if result < 0:
        sys.exit(f"bpf command {command}: {os.strerror(ctypes.get_errno())}")
    return result


def pinned(path):
    text = ctypes.create_string_buffer(path.encode())
    return bpf(BPF_OBJ_GET, struct.pack("=Q", ctypes.addressof(text)))


def main(verb, *words):
    if verb == "update":
        bpf(BPF_LINK_UPDATE, struct.pack("=II", pinned(words[0]), pinned(words[1])))
        return
    device, hook, path = words
    command, flags = (BPF_PROG_ATTACH, BPF_F_BEFORE) if verb == "attach" else (BPF_PROG_DETACH, 0)
    bpf(command, struct.pack("=IIII", socket.if_nametoindex(device), pinned(path), TCX[hook], flags))


main(*sys.argv[1:])
