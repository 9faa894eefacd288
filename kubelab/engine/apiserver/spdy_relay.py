"""A client's SPDY connection handed through to a kubelet byte by byte: how kubectl streamed before websockets."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from kubelab.engine.apiserver.status import StatusError, bad_request, internal
from kubelab.engine.apiserver.upgrading import LARGEST_HEAD, Head, join, read_head, read_rest
from kubelab.engine.upgraded import Upgraded

VERSION_HEADER = "X-Stream-Protocol-Version"
_CONNECT_SECONDS = 5


async def relay_spdy(
    request: web.Request, base: str, path: str, query: list[tuple[str, str]], tls: ssl.SSLContext | None
) -> web.StreamResponse:
    """Join the client's connection to the kubelet's until either ends. Raises a Status when the kubelet refuses."""
    where = urlsplit(base)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=tls, limit=LARGEST_HEAD)
    except (OSError, TimeoutError) as error:
        raise internal(f"error dialing backend: {error}") from None
    try:
        writer.write(_head(request, where.netloc, f"{path}?{urlencode(query)}"))
        head, body = await _answer(reader)
        if head.code != 101:
            raise _refused(head.code, body.decode(errors="replace"))
        outer = Upgraded(request.headers["Upgrade"], {VERSION_HEADER: head.headers.get(VERSION_HEADER, "")})
        outer.begin(request)
        await join(outer, reader, writer)
        return outer
    finally:
        writer.close()


def _head(request: web.Request, host: str, target: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", "Connection: Upgrade"]
    lines += [f"Upgrade: {request.headers['Upgrade']}", "Content-Length: 0"]
    lines += [f"{VERSION_HEADER}: {value}" for value in request.headers.getall(VERSION_HEADER, [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _answer(reader: asyncio.StreamReader) -> tuple[Head, bytes]:
    """The head, and the text of a refusal."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            head = await read_head(reader)
            return head, b"" if head.code == 101 else await read_rest(reader, head)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise internal(f"error dialing backend: {error}") from None


def _refused(code: int, text: str) -> StatusError:
    text = f"unable to upgrade connection: {text.strip() or code}"
    return StatusError(code, "NotFound", text, {}) if code == 404 else bad_request(text)
