"""A pod's server for the tests: says in JSON what came, echoes a WebSocket, and speaks HTTP/2 without TLS.

``/slow/SECONDS`` answers late, ``/big/BYTES`` with so many.
"""

import base64
import hashlib
import json
import os
import socketserver
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            if line == PREFACE[:16]:
                self.rfile.read(len(PREFACE) - 16)
                return self.http2()
            headers = {}
            while (header := self.rfile.readline().strip()) and b":" in header:
                name, _, value = header.decode().partition(": ")
                headers[name.lower()] = value
            if headers.get("upgrade") == "websocket":
                return self.websocket(headers)
            self.answer(line.decode().split()[1], headers, self.body(headers))

    def body(self, headers):
        """Its digest, so that it need not be kept."""
        digest, left = hashlib.sha256(), int(headers.get("content-length", 0))
        while left and (piece := self.rfile.read(min(left, 65536))):
            digest.update(piece)
            left -= len(piece)
        return digest.hexdigest()

    def answer(self, path, headers, digest):
        if path.startswith("/slow/"):
            time.sleep(float(path.removeprefix("/slow/")))
        said = {"pod": os.environ["HOSTNAME"], "peer": self.client_address, "path": path, "headers": headers}
        body = json.dumps({**said, "sha256": digest}).encode()
        if path.startswith("/big/"):
            body = b"#" * int(path.removeprefix("/big/"))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def websocket(self, headers):
        key = headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key).digest())
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                         b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")  # fmt: skip
        while more := self.rfile.read1():
            self.wfile.write(more)

    def http2(self):
        """Answers every request as gRPC does: 200, the word h2c, and what came of it at the end (trailers)."""
        self.frame(4, 0, 0, b"")
        while len(head := self.rfile.read(9)) == 9:
            length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], head[5:]
            self.rfile.read(length)
            number = struct.unpack("!I", stream)[0]
            if kind == 4 and not flags & 1:
                self.frame(4, 1, 0, b"")
            if kind == 6 and not flags & 1:
                self.frame(6, 1, 0, b"\0" * 8)
            if kind in (0, 1) and flags & 1:  # the request is whole
                self.frame(1, 4, number, b"\x88")
                self.frame(0, 0, number, b"h2c")
                self.frame(1, 5, number, b"\x00\x0bgrpc-status\x010")

    def frame(self, kind, flags, stream, payload):
        self.wfile.write(
            struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload
        )


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


Server(("0.0.0.0", 8080), Handler).serve_forever()
