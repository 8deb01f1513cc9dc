#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""HTTP without lengths, for function_rewrites.sh, whose function alters it on the way.

    rewritten.py serve PORT FILE        GET: says what was asked for, then the file. PUT: says which hash the body has
    rewritten.py put ADDRESS PORT FILE  the answer
"""
import hashlib
import socket
import socketserver
import sys


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        method, path = self.rfile.readline().decode().split()[:2]
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        if method == "PUT":
            self.wfile.write(hashlib.sha256(self.rfile.read()).hexdigest().encode())
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


def put(address, port, file):
    with socket.create_connection((address, int(port)), timeout=10) as s:
        with open(file, "rb") as body:
            s.sendall(b"PUT / HTTP/1.0\r\n\r\n" + body.read())
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    print(answer.split(b"\r\n\r\n", 1)[1].decode())


if sys.argv[1] == "serve":
    Server(("::", int(sys.argv[2])), Answer).serve_forever()
else:
    put(*sys.argv[2:])
