"""The lessons' server: says who it is. Runs in a pod from a ConfigMap, on any cluster, with any Python from 3.8 on.

GET /        who answers and what it saw, as JSON: pod, uid, node, the request (method, path, proto, host, headers),
             and the client's address and port; so does every path and method that is not named here; a browser
             (Accept: text/html) gets the same as a page
GET /ready   200 when it may get traffic
GET /served  how many requests for / it has answered so far and over how many connections, for each client's address
GET /crash   answers, then ends with exit code 1, as a program with a bug would
GET /sick    answers, and from now on /ready is answered with 503; /well undoes it

A connection is kept as long as the client likes, or for MAX_CONNECTION_SECONDS: the first answer after that says
"Connection: close". On SIGTERM it goes on answering for DRAIN_SECONDS, so that everybody who still sends requests here
has time to hear that this pod is going away (every answer says "Connection: close" now), and ends with exit code 0.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import threading
import time
import zlib
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ABOUT_ME = {
    "pod": os.environ.get("POD_NAME", ""),
    "uid": os.environ.get("POD_UID", ""),
    "node": os.environ.get("NODE_NAME", ""),
}
PORT = int(os.environ.get("PORT", "8080"))
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "2"))
MAX_CONNECTION_SECONDS = float(os.environ.get("MAX_CONNECTION_SECONDS", "inf"))
FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
ASKED_TO_STOP = threading.Event()
SICK = threading.Event()


class Served:
    """Counts what was answered, from any thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.peers: dict[str, dict[str, int]] = {}

    def count(self, peer: str, first: bool) -> None:
        """One more request; ``first``: the first over its connection."""
        with self.lock:
            counts = self.peers.setdefault(peer, {"requests": 0, "connections": 0})
            counts["requests"] += 1
            counts["connections"] += first

    def so_far(self) -> dict[str, dict[str, int]]:
        """Requests and connections by client's address."""
        with self.lock:
            return {peer: dict(counts) for peer, counts in self.peers.items()}


SERVED = Served()


class Server(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind without asking DNS for a name of our own, which HTTPServer does and nobody needs."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "", PORT


class Handler(BaseHTTPRequestHandler):
    """Answers requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: apart, the second would wait for the client's delayed ACK (40 ms)

    def setup(self) -> None:
        """A new connection."""
        super().setup()
        self.since = time.monotonic()
        self.fresh = True

    def do_GET(self) -> None:
        """Answer by path."""
        if self.path == "/sick":
            SICK.set()
        elif self.path == "/well":
            SICK.clear()
        if self.path == "/ready":
            self.answer({"ready": not SICK.is_set()}, 503 if SICK.is_set() else 200)
        elif self.path == "/served":
            self.answer({**ABOUT_ME, "peers": SERVED.so_far()})
        elif self.path == "/crash":
            self.answer({**ABOUT_ME, "crashing": True})
            threading.Timer(0.05, os._exit, (1,)).start()
        else:
            self.echo()

    def echo(self) -> None:
        """Say who answers, and what arrived."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.close_connection = True  # the body stays unread
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        peer, port = self.client_address[:2]
        SERVED.count(peer, self.fresh)
        self.fresh = False
        headers = {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}
        request = {
            "method": self.command,
            "path": self.requestline.split()[1],  # self.path is tidied up: it begins with one slash
            "proto": self.request_version,
            "host": headers.get("host", ""),
        }
        if "text/html" in headers.get("accept", ""):
            told = {name: headers[name] for name in FORWARDED if name in headers}
            self.send(page(ABOUT_ME["pod"], {**request, "peer": peer, **told}).encode(), "text/html; charset=utf-8")
        else:
            self.answer({**ABOUT_ME, **request, "headers": headers, "peer": peer, "peer_port": port})

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = echo

    def answer(self, what: dict[str, object], code: int = 200) -> None:
        """Send JSON."""
        self.send(json.dumps(what).encode() + b"\n", "application/json", code)

    def send(self, body: bytes, kind: str, code: int = 200) -> None:
        """Send a body."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection or ASKED_TO_STOP.is_set() or time.monotonic() - self.since > MAX_CONNECTION_SECONDS:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def page(pod: str, seen: dict[str, str]) -> str:
    """An answer for people: each pod in a colour of its own, so that a reload that reaches another one shows."""
    rows = "".join(f"<tr><th>{escape(name)}<td>{escape(value)}" for name, value in seen.items())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(pod)}</title><style>"
        "body{font:15px sans-serif;margin:1em}th{text-align:left;padding-right:1em;font-weight:normal;color:#555}"
        f"h1{{font-size:20px;border-left:14px solid hsl({zlib.crc32(pod.encode()) % 360} 70% 45%);padding-left:.5em}}"
        f"</style><h1>{escape(pod)} answers</h1><table>{rows}</table></html>\n"
    )


def main() -> None:
    """Serve until SIGTERM, then drain."""
    signal.signal(signal.SIGTERM, lambda *_: ASKED_TO_STOP.set())
    server = Server(("", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"serving on port {PORT}", flush=True)
    while not ASKED_TO_STOP.wait(1):
        pass
    print(f"SIGTERM: still serving for {DRAIN_SECONDS:g} s", flush=True)
    time.sleep(DRAIN_SECONDS)
    server.shutdown()


if __name__ == "__main__":
    main()
