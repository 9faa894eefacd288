"""One call of grpc.health.v1.Health/Check, by hand: HTTP/2 without TLS, as kubelet's grpc probe makes it.

Sources: RFC 9113 (frames), RFC 7541 (headers, written as literals), the GRPC Health Checking Protocol. The answer's
headers are not decoded: a message is a message, and an answer without one is an error.
"""

from __future__ import annotations

import asyncio

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LARGEST_FRAME = 16384
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class NoHealthService(Exception):
    """The server answered something else than a HealthCheckResponse."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


async def check(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str, service: str) -> str:
    """The service's status, ``SERVING`` or another word. Raises `NoHealthService` and OSError."""
    name = service.encode()
    body = (b"\x0a" + _varint(len(name)) + name) if name else b""
    request = frame(HEADERS, END_HEADERS, 1, _headers(authority))
    request += frame(DATA, END_STREAM, 1, b"\0" + len(body).to_bytes(4, "big") + body)
    writer.write(PREFACE + frame(SETTINGS, 0, 0) + request)
    answer = bytearray()
    while True:
        kind, flags, stream, payload = await _read(reader)
        if kind == SETTINGS and not flags & ACK:
            writer.write(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            writer.write(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY or (kind == RST_STREAM and stream == 1):
            raise NoHealthService("the server ended the call")
        elif kind == DATA and stream == 1:
            answer += payload
        if stream == 1 and flags & END_STREAM and kind in (DATA, HEADERS):
            return _status(bytes(answer))


async def _read(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    try:
        head = await reader.readexactly(9)
        size = int.from_bytes(head[:3], "big")
        if size > LARGEST_FRAME:
            raise NoHealthService("the server does not speak HTTP/2")
        return head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise NoHealthService("the server closed the connection") from None


def _headers(authority: str) -> bytes:
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "content-type": "application/grpc",
        "user-agent": "kube-probe/1.36 grpc-go",
        "te": "trailers",
    }
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    return b"\x7f" + _varint(len(data) - 127) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _status(answer: bytes) -> str:
    """Of a HealthCheckResponse with gRPC's five bytes before it; its only field is the status."""
    if len(answer) < 5 or answer[0]:
        raise NoHealthService("this server does not implement the grpc health protocol (grpc.health.v1.Health)")
    message = answer[5:]
    value = message[1] if message[:1] == b"\x08" and len(message) > 1 else 0
    return STATUSES.get(value, str(value))
