"""The lessons' server: says who it is. Runs in a pod from a ConfigMap, on any cluster, with any Python from 3.8 on.

GET /        who answers and what it saw, as JSON: pod, uid, node, the Host header, and the client's address and port
GET /ready   200 when it may get traffic
GET /crash   answers, then ends with exit code 1, as a program with a bug would

On SIGTERM it goes on answering for DRAIN_SECONDS, so that everybody who still sends requests here has time to hear that
this pod is going away, and then ends with exit code 0.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ABOUT_ME = {
    "pod": os.environ.get("POD_NAME", ""),
    "uid": os.environ.get("POD_UID", ""),
    "node": os.environ.get("NODE_NAME", ""),
}
PORT = int(os.environ.get("PORT", "8080"))
DRAIN_SECONDS = float(os.environ.get("DRAIN_SECONDS", "2"))


class Server(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind without asking DNS for a name of our own, which HTTPServer does and nobody needs."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "", PORT


class Handler(BaseHTTPRequestHandler):
    """Answers GET requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer by path."""
        if self.path == "/ready":
            self.answer({"ready": True})
        elif self.path == "/crash":
            self.answer({**ABOUT_ME, "crashing": True})
            threading.Timer(0.05, os._exit, (1,)).start()
        else:
            peer, port = self.client_address[:2]
            self.answer({**ABOUT_ME, "host": self.headers.get("Host", ""), "peer": peer, "peer_port": port})

    def answer(self, what: dict[str, object]) -> None:
        """Send JSON."""
        body = json.dumps(what).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Serve until SIGTERM, then drain."""
    asked_to_stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.set())
    server = Server(("", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"serving on port {PORT}", flush=True)
    while not asked_to_stop.wait(1):
        pass
    print(f"SIGTERM: still serving for {DRAIN_SECONDS:g} s", flush=True)
    time.sleep(DRAIN_SECONDS)
    server.shutdown()


if __name__ == "__main__":
    main()
