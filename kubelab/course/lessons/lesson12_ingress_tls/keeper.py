"""A server that reads its certificate once, at the start, as most servers do. Runs in a pod, with any Python from 3.8.

It shakes hands at port 8443 and says goodbye: the certificate is all that the lesson wants of it.
"""

from __future__ import annotations

import socketserver
import ssl

PORT = 8443
CERTIFICATE, KEY = "/tls/tls.crt", "/tls/tls.key"
PATIENCE_SECONDS = 5

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Shake hands; who only looks whether somebody listens (a readiness probe) hangs up instead."""
        self.request.settimeout(PATIENCE_SECONDS)
        try:
            with context.wrap_socket(self.request, server_side=True) as peer:
                peer.unwrap()
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    """One thread a connection."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("", PORT), Handler) as server:
        server.serve_forever()
