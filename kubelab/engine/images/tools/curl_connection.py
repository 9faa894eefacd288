"""How the stand-in curl connects: name, address, TCP, TLS."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from kubelab.engine.images.tools.curl_options import Options


class Failed(Exception):
    """A transfer failed; ``code`` is curl's exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Connection:
    """A connected socket and its two ends."""

    socket: socket.socket
    local: tuple[str, int]
    remote: tuple[str, int]

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def connect(options: Options, url: str, began: float) -> Connection:
    """Connect to the URL's host, ``--resolve`` and the time limits heeded. Raises `Failed`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Failed(3, "URL using bad/illegal format or missing URL") from error
    seconds = _limit(options, began)
    opened = _open(options, host, port, seconds, began)
    try:
        local, remote = opened.getsockname()[:2], opened.getpeername()[:2]
        if options.has("verbose"):
            sys.stderr.write(f"* Connected to {host} ({remote[0]}) port {remote[1]}\n")
        opened.settimeout(_left(options, began))
        if parts.scheme == "https":
            opened = _context(options).wrap_socket(opened, server_hostname=host)
        return Connection(opened, (local[0], local[1]), (remote[0], remote[1]))
    except ssl.SSLCertVerificationError as error:
        opened.close()
        raise Failed(60, f"SSL certificate problem: {error.verify_message}") from error
    except TimeoutError as error:
        opened.close()
        raise Failed(28, "SSL connection timeout") from error
    except OSError as error:
        opened.close()
        raise Failed(35, f"TLS connect error: {error.strerror or error}") from error


def _open(options: Options, host: str, port: int, seconds: float | None, began: float) -> socket.socket:
    refused: OSError | None = None
    for family, address in _addresses(options, host, port):
        if options.has("verbose"):
            sys.stderr.write(f"*   Trying {address[0]}:{address[1]}...\n")
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.settimeout(seconds)
        try:
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
        except OSError as error:
            opened.close()
            refused = error
    milliseconds = round((time.monotonic() - began) * 1000)
    if isinstance(refused, TimeoutError):
        raise Failed(28, f"Connection timed out after {milliseconds} milliseconds")
    message = f"Failed to connect to {host} port {port} after {milliseconds} ms: Couldn't connect to server"
    raise Failed(7, message) from refused


def _addresses(options: Options, host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    for rule in options.values.get("resolve", []):
        name, number, address = (*rule.lstrip("+").split(":", 2), "", "")[:3]
        if name in (host, "*") and number == str(port):
            ip = address.strip("[]")
            return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, (ip, port))]
    family = socket.AF_INET if options.has("ipv4") else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Failed(6, f"Could not resolve host: {host}") from error
    return [(each[0], (str(each[4][0]), int(each[4][1]))) for each in found]


def _limit(options: Options, began: float) -> float | None:
    limits = [each for each in (options.seconds("connect-timeout"), _left(options, began)) if each is not None]
    return min(limits) if limits else None


def _left(options: Options, began: float) -> float | None:
    most = options.seconds("max-time")
    return None if most is None else max(most - (time.monotonic() - began), 0.001)


def _context(options: Options) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.last("cacert") or None)
    if options.has("insecure"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
