#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""HTTP without lengths, for function_rewrites.sh, whose function alters it on the way.

    rewritten.py serve PORT FILE        GET: says what was asked for, then the file. PUT: says which hash the body has.
                                        SAY: gives back the first so many bytes of the body, in hexadecimal, for the
                                        function alters answers, too
    rewritten.py put ADDRESS PORT FILE  the answer
    rewritten.py say ADDRESS PORT BYTES PIECE...
                                        what is heard of a body of these pieces, a segment each, and no more after the last
"""
import hashlib
import socket
import socketserver
import sys
import time


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        method, path = self.rfile.readline().decode().split()[:2]
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        if method == "PUT":
            self.wfile.write(hashlib.sha256(self.rfile.read()).hexdigest().encode())
            return
        if method == "SAY":
            self.wfile.write(self.rfile.read(int(path)).hex().encode())
            return
        self.wfile.write(f"you asked for {path}\n".encode())
        with open(sys.argv[3], "rb") as file:
            self.wfile.write(file.read())


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True

    # Who is cut off by what the test does is no news.
    def handle_error(self, request, client_address):
        pass


def answer_of(s):
    answer = b""
    while piece := s.recv(65536):
        answer += piece
    return answer.split(b"\r\n\r\n", 1)[1].decode()


def put(address, port, file):
    with socket.create_connection((address, int(port)), timeout=30) as s:
        with open(file, "rb") as body:
            s.sendall(b"PUT / HTTP/1.0\r\n\r\n" + body.read())
        s.shutdown(socket.SHUT_WR)
        print(answer_of(s))


def say(address, port, count, *pieces):
    with socket.create_connection((address, int(port)), timeout=30) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (f"SAY {count} HTTP/1.0\r\n\r\n", *pieces):
            s.sendall(piece.encode())
            time.sleep(0.03)
        print(bytes.fromhex(answer_of(s)).decode())


if sys.argv[1] == "serve":
    Server(("::", int(sys.argv[2])), Answer).serve_forever()
else:
    globals()[sys.argv[1]](*sys.argv[2:])
