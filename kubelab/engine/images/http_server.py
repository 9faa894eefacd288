"""A small HTTP/1.1 server in the manner of Go's: keep-alive, a thread a connection, one write a response.

`http.server` writes headers and body apart, which with Nagle's algorithm and delayed acknowledgements costs 40 ms a
request, and its header parser is ten times as slow as what the built-in images need.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    import ssl  # weighs several MB; whoever brings a context has loaded it

MOST_HEADER_BYTES = 1 << 20
MOST_BODY_BYTES = 64 << 20


@dataclass
class Request:
    """One request, read whole."""

    method: str
    target: str
    """As on the request line: path and query."""
    headers: dict[str, list[str]]
    """Names in Go's canonical form (``X-Forwarded-For``), without Host, values in order."""
    body: bytes
    remote: str
    """``ip:port`` of the client."""
    host: str = ""
    path: str = ""
    query: dict[str, list[str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """A form value as Go's ``FormValue`` finds it: the body's fields first, then the query's; empty if absent."""
        if self.method in ("POST", "PUT", "PATCH") and self.header("Content-Type").startswith(
            "application/x-www-form-urlencoded"
        ):
            fields = parse_qs(self.body.decode(errors="replace"), keep_blank_values=True)
            if name in fields:
                return fields[name][0]
        return self.query.get(name, [""])[0]

    def header(self, name: str) -> str:
        """The first value of a header; empty if absent."""
        return self.headers.get(canonical(name), [""])[0]


@dataclass
class Response:
    """What a handler answers."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    """Found by looking at the body when it is None."""


Handler = Callable[[Request], Response]


class BadRequest(Exception):
    """The bytes are not an HTTP request that this server reads."""


class Server:
    """Listens when made; `serve` accepts until `close`."""

    def __init__(self, port: int, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._listener = socket.create_server(("0.0.0.0", port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._closing = False
        self._active = 0
        self._changed = threading.Condition()

    def serve(self) -> None:
        """Accept connections, one thread each. Returns after `close`."""
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                time.sleep(0.05)
                continue
            remote = f"{address[0]}:{address[1]}"
            threading.Thread(target=self._connection, args=(connection, remote), daemon=True).start()

    def close(self, timeout_seconds: float = 0) -> bool:
        """Stop accepting and let requests finish; whether all did within the time."""
        self._closing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            return self._changed.wait_for(lambda: self._active == 0, timeout_seconds)

    def _connection(self, connection: socket.socket, remote: str) -> None:
        with connection:
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._requests(connection, remote)
            except OSError:
                return  # the client went away, or does not speak TLS

    def _requests(self, connection: socket.socket, remote: str) -> None:
        reader = _Reader(connection)
        keep = True
        while keep and not self._closing:
            try:
                found = reader.request(remote)
            except BadRequest as error:
                connection.sendall(_encode(Response(f"400 Bad Request: {error}".encode(), 400), "GET", False, ""))
                return
            if found is None:
                return
            request, keep = found
            with self._changed:
                self._active += 1
            try:
                response = self._handler(request)
                keep = keep and not self._closing and response.headers.get("Connection") != "close"
                connection.sendall(_encode(response, request.method, keep, request.header("Connection")))
            finally:
                with self._changed:
                    self._active -= 1
                    self._changed.notify_all()


class _Reader:
    """Requests off one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def request(self, remote: str) -> tuple[Request, bool] | None:
        """The next request and whether the connection stays open after it; None at the end."""
        while self._rest[:2] == b"\r\n":
            self._rest = self._rest[2:]
        end = self._rest.find(b"\r\n\r\n")
        while end < 0:
            if len(self._rest) > MOST_HEADER_BYTES:
                raise BadRequest("the headers are too long")
            more = self._connection.recv(65536)
            if not more:
                return None
            self._rest += more
            end = self._rest.find(b"\r\n\r\n")
        head, self._rest = self._rest[:end], self._rest[end + 4 :]
        return self._read(head.decode("latin-1"), remote)

    def _read(self, head: str, remote: str) -> tuple[Request, bool]:
        first, *lines = head.split("\r\n")
        try:
            method, target, version = first.split(" ")
        except ValueError:
            raise BadRequest("malformed request line") from None
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise BadRequest(f"unsupported protocol version {version!r}")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadRequest("malformed header line")
            headers.setdefault(canonical(name), []).append(value.strip(" \t"))
        host = headers.pop("Host", [""])[0]
        words = headers.get("Connection", [""])[0].lower()
        keep = "close" not in words if version == "HTTP/1.1" else "keep-alive" in words
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True) if parts.query else {}
        body = self._body(headers)
        return Request(method, target, headers, body, remote, host, unquote(parts.path) or "/", query), keep

    def _body(self, headers: dict[str, list[str]]) -> bytes:
        chunked = headers.get("Transfer-Encoding", [""])[0].lower() == "chunked"
        length = headers.get("Content-Length", ["0"])[0]
        if not chunked and length == "0":
            return b""
        if headers.get("Expect", [""])[0].lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if chunked:
            return self._chunks()
        if not (length.isascii() and length.isdigit()) or int(length) > MOST_BODY_BYTES:
            raise BadRequest(f"Content-Length {length!r} is not acceptable")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            try:
                size = int(self._line().split(b";")[0], 16)
            except ValueError:
                raise BadRequest("malformed chunk") from None
            if size == 0:
                while self._line():
                    pass
                return bytes(body)
            if size < 0 or len(body) + size > MOST_BODY_BYTES:
                raise BadRequest("the body is too long")
            body += self._exactly(size)
            self._exactly(2)

    def _line(self) -> bytes:
        while (end := self._rest.find(b"\r\n")) < 0:
            self._fill()
        line, self._rest = self._rest[:end], self._rest[end + 2 :]
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._fill()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _fill(self) -> None:
        more = self._connection.recv(262144)
        if not more:
            raise BadRequest("the body ended early")
        self._rest += more


_canonical: dict[str, str] = {}
_date: tuple[int, str] = (0, "")


def canonical(name: str) -> str:
    """A header name as Go writes it: ``x-real-ip`` → ``X-Real-Ip``."""
    known = _canonical.get(name)
    if known is None:
        known = "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))
        if len(_canonical) < 1000:
            _canonical[name] = known
    return known


def _encode(response: Response, method: str, keep: bool, asked: str) -> bytes:
    global _date
    second = int(time.time())
    if _date[0] != second:
        _date = (second, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second)))
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = f"status code {response.status}"
    lines = [f"HTTP/1.1 {response.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name != "Connection"]
    lines.append(f"Date: {_date[1]}")
    if response.status >= 200 and response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body)}")
        if response.body:
            lines.append(f"Content-Type: {response.content_type or sniff(response.body)}")
    if not keep:
        lines.append("Connection: close")
    elif asked.lower() == "keep-alive":
        lines.append("Connection: keep-alive")
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("latin-1", "replace") + (b"" if method == "HEAD" else response.body)


_HTML = tuple(
    f"<{tag}".encode()
    for tag in ["!doctype html", "html", "head", "script", "iframe", "h1", "div", "font", "table", "a", "p"]
)
_BINARY = frozenset([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def sniff(body: bytes) -> str:
    """The content type by the body's first bytes, the part of https://mimesniff.spec.whatwg.org that text needs."""
    start = body[:512]
    word = start.lstrip(b"\t\n\x0c\r ").lower()
    for tag in _HTML:
        if word.startswith(tag) and word[len(tag) : len(tag) + 1] in (b" ", b">"):
            return "text/html; charset=utf-8"
    if word.startswith(b"<?xml"):
        return "text/xml; charset=utf-8"
    return "application/octet-stream" if _BINARY.intersection(start) else "text/plain; charset=utf-8"
