#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""probes: which of a set of frames arrive where they are looked for?

Reads lines, and answers each with one: "ok", "ok NAME NAME..." or what is wrong.

    add NAME NAMESPACE DEVICE NAMESPACE DEVICE FRAME    separated by tabs: from where, to where, and what
    clear                                               forget them all
    reopen                                              look for the devices anew
    probe MILLISECONDS                                  send them all; the names of those that arrived in that time

A FRAME is an expression as in frames.py, which may use `data`, its payload, by which it is known on arrival, and
`fresh`, a port number that differs each time: the frame of a new flow. With a fixed number it is of an old one.
"""
import select
import sys
import time

import frames

EVERYTHING = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING


def host(n):
    """The MAC and the addresses that the tests give to workload n."""
    return f"02:00:00:00:00:{n:02x}", f"10.0.1.{n}", f"fd00:1::{n:x}"


def u4(source, destination, source_port, port, data, address=None):
    """UDP between workloads by their numbers; `address`: the number whose address the source uses instead."""
    return frames.eth(host(destination)[0], host(source)[0],
                      frames.ip4(host(address or source)[1], host(destination)[1],
                                 frames.udp(source_port, port, data)))


def u6(source, destination, source_port, port, data):
    return frames.eth(host(destination)[0], host(source)[0],
                      frames.ip6(host(source)[2], host(destination)[2], frames.udp(source_port, port, data)))


class Probe:
    def __init__(self, number, name, from_ns, from_dev, to_ns, to_dev, expression):
        self.name = name
        self.number = number
        self.places = from_ns, from_dev, to_ns, to_dev
        self.open()
        self.code = compile(expression, name, "eval")

    def open(self):
        from_ns, from_dev, to_ns, to_dev = self.places
        self.out = frames.socket_on(from_ns, from_dev)
        self.into = frames.socket_on(to_ns, to_dev, EVERYTHING)

    def mark(self, turn):
        return b"weft-probe-%05d-%07d" % (self.number, turn)

    def send(self, turn):
        scope = dict(vars(frames), u4=u4, u6=u6, data=self.mark(turn), fresh=20000 + turn % 40000)
        frames.transmit(self.out, eval(self.code, scope))


class Probes:
    def __init__(self):
        self.list = []
        self.turn = 0

    def add(self, *fields):
        self.list.append(Probe(len(self.list), *fields))

    def clear(self):
        self.list = []

    def reopen(self):
        """Devices have gone, and others of their names have come."""
        while frames.sockets:
            frames.sockets.popitem()[1].close()
        for probe in self.list:
            probe.open()

    def probe(self, milliseconds):
        self.turn += 1
        sockets = {p.into for p in self.list}
        waiting = {(p.into, p.mark(self.turn)): p.name for p in self.list}
        for p in self.list:
            p.send(self.turn)
        arrived = []
        end = time.monotonic() + int(milliseconds) / 1000
        while waiting and (left := end - time.monotonic()) > 0:
            for ready in select.select(sockets, [], [], left)[0]:
                self.receive(ready, waiting, arrived)
        return arrived

    @staticmethod
    def receive(ready, waiting, arrived):
        frame, address = ready.recvfrom(65535)
        at = frame.find(b"weft-probe-")
        if at < 0 or address[2] == OUTGOING:
            return
        name = waiting.pop((ready, frame[at:at + 24]), None)
        if name:
            arrived.append(name)


def main():
    probes = Probes()
    for line in sys.stdin:
        command, *fields = line.rstrip("\n").split("\t")
        try:
            print(" ".join(["ok"] + (getattr(probes, command)(*fields) or [])), flush=True)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    main()
