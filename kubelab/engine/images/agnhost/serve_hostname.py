"""agnhost serve-hostname: the hostname over HTTP, or over bare TCP or UDP."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Sequence
from types import FrameType

from kubelab.engine.images.agnhost.flags import Flags, log
from kubelab.engine.images.http_server import Request, Response, Server

LINGER_SECONDS = 60
"""Upstream waits this long after SIGTERM, still serving: it is used to test slow endings."""


def main(args: Sequence[str]) -> int:
    """Serve until SIGTERM, and a minute longer."""
    flags = Flags("serve-hostname")
    flags.flag("tcp", False, "Serve raw over TCP.")
    flags.flag("udp", False, "Serve raw over UDP.")
    flags.flag("http", True, "Serve HTTP.")
    flags.flag("close", False, "Close connection per each HTTP request.")
    flags.flag("port", 9376, "Port number.")
    options = flags.read(args)
    if options.http and (options.tcp or options.udp):
        log("Can't serve TCP/UDP mode and HTTP mode at the same time")
        return 1
    name = socket.gethostname().encode()
    try:
        if options.tcp:
            _start(_tcp, socket.create_server(("0.0.0.0", options.port)), name)
        if options.udp:
            listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listener.bind(("0.0.0.0", options.port))
            _start(_udp, listener, name)
        if options.http:
            _start(_http, options.port, name, {"Connection": "close"} if options.close else {})
    except OSError as error:
        log(f"Error from net.Listen(): {error}")
        return 1
    log(f"Serving on port {options.port}.")
    _wait()
    log("Shutting down after receiving signal: terminated.", "Awaiting pod deletion.")
    time.sleep(LINGER_SECONDS)
    return 0


def _wait() -> None:
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    ended.wait()


def _start(target: object, *args: object) -> None:
    assert callable(target)
    threading.Thread(target=target, args=args, daemon=True).start()


def _http(port: int, name: bytes, headers: dict[str, str]) -> None:
    def answer(request: Request) -> Response:
        log(f"HTTP request from {request.remote}")
        return Response(name, headers=headers)

    Server(port, answer).serve()


def _tcp(listener: socket.socket, name: bytes) -> None:
    while True:
        connection, address = listener.accept()
        with connection:
            log(f"TCP request from {address[0]}:{address[1]}")
            connection.sendall(name)


def _udp(listener: socket.socket, name: bytes) -> None:
    while True:
        _, address = listener.recvfrom(16)
        log(f"UDP request from {address[0]}:{address[1]}")
        listener.sendto(name, address)
