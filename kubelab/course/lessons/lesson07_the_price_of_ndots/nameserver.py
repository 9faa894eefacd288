"""A name server that counts, for lesson 7. Stands between a pod and the cluster's own. Any Python from 3.8 on will do.

Names under cluster.local are asked for at the cluster's name server. For all others it plays the rest of the world,
WORLD_SECONDS away: whatever ends in example.test has one IPv4 address, nothing else exists.

Every question is logged as CoreDNS' log plugin does it, and counted by client, name, type and code of the answer:
GET /counts  the counts, as JSON, in the order in which they were first asked
GET /ready   200
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, STATUS_PORT = int(os.environ.get("PORT", "53")), int(os.environ.get("STATUS_PORT", "9153"))
WORLD_SECONDS = float(os.environ.get("WORLD_SECONDS", "0.02"))
CLUSTER, WORLD = ".cluster.local", ".example.test"
WORLD_ADDRESS = "192.0.2.80"
PATIENCE_SECONDS = 2.0
TYPES = {1: "A", 12: "PTR", 16: "TXT", 28: "AAAA", 33: "SRV"}
CODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
SERVFAIL, NXDOMAIN = 2, 3


class Counts:
    """Questions by client, name, type and code, from any thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: dict[tuple[str, str, str, str], int] = {}

    def add(self, client: str, name: str, type_: str, code: str) -> None:
        """One more."""
        key = (client, name, type_, code)
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1

    def rows(self) -> list[list[object]]:
        """``[client, name, type, code, count]``."""
        with self.lock:
            return [[*key, count] for key, count in self.counts.items()]


COUNTS = Counts()


def question(message: bytes) -> tuple[str, int, int]:
    """Name, type and where the question ends (RFC 1035, section 4.1.2)."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii", "backslashreplace"))
        at += 1 + message[at]
    return ".".join(labels).lower(), struct.unpack(">H", message[at + 1 : at + 3])[0], at + 5


def of_the_cluster(message: bytes) -> bytes:
    """The answer of the cluster's name server; SERVFAIL when there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE_SECONDS)
        try:
            asking.connect((cluster_server(), 53))
            asking.send(message)
            return asking.recv(4096)
        except OSError:
            return answer(message, SERVFAIL)


def cluster_server() -> str:
    """Whom this pod itself asks."""
    with open("/etc/resolv.conf") as file:
        return next(line.split()[1] for line in file if line.startswith("nameserver"))


def of_the_world(message: bytes) -> bytes:
    """The answer of everybody else, after a while."""
    time.sleep(WORLD_SECONDS)
    name, type_, _ = question(message)
    exists = f".{name}".endswith(WORLD)
    return answer(message, 0 if exists else NXDOMAIN, WORLD_ADDRESS if exists and type_ == 1 else None)


def answer(message: bytes, code: int, address: str | None = None) -> bytes:
    """A message with the question, and one address behind it if there is one."""
    *_, end = question(message)
    head = message[:2] + struct.pack(">5H", 0x8180 | code, 1, int(address is not None), 0, 0)
    record = struct.pack(">3HIH", 0xC00C, 1, 1, 30, 4) + socket.inet_aton(address) if address else b""
    return head + message[12:end] + record


class Question(socketserver.BaseRequestHandler):
    """One datagram."""

    def handle(self) -> None:
        """Answer, count, log."""
        message, sock = self.request
        began = time.perf_counter()
        name, number, _ = question(message)
        found = of_the_cluster(message) if name.endswith(CLUSTER) else of_the_world(message)
        type_, code = TYPES.get(number, str(number)), CODES.get(found[3] & 0x0F, str(found[3] & 0x0F))
        client, port = self.client_address
        COUNTS.add(client, name, type_, code)
        sock.sendto(found, self.client_address)
        took = time.perf_counter() - began
        print(
            f'[INFO] {client}:{port} - "{type_} IN {name}. udp {len(message)}" {code} {len(found)} {took:.6f}s',
            flush=True,
        )


class Status(BaseHTTPRequestHandler):
    """The counts, for whoever wants them."""

    def do_GET(self) -> None:
        """Answer."""
        body = json.dumps(COUNTS.rows() if self.path == "/counts" else {"ready": True}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The log is for questions."""


class Datagrams(socketserver.ThreadingUDPServer):
    """A thread a question: one that waits for the world holds up nobody."""

    daemon_threads = True
    max_packet_size = 4096


def main() -> None:
    """Answer until the pod ends."""
    status = ThreadingHTTPServer(("", STATUS_PORT), Status)
    threading.Thread(target=status.serve_forever, daemon=True).start()
    Datagrams(("", PORT), Question).serve_forever()


if __name__ == "__main__":
    main()
