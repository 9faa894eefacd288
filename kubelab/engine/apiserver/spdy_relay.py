"""A client's SPDY connection handed through to a kubelet byte by byte: how kubectl streamed before websockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from kubelab.engine.apiserver.status import StatusError, bad_request, internal
from kubelab.engine.upgraded import CHUNK_BYTES, Upgraded

VERSION_HEADER = "X-Stream-Protocol-Version"
_CONNECT_SECONDS = 5
_LARGEST_HEAD = 64 * 1024


async def relay_spdy(
    request: web.Request, base: str, path: str, query: list[tuple[str, str]], tls: ssl.SSLContext | None
) -> web.StreamResponse:
    """Join the client's connection to the kubelet's until either ends. Raises a Status when the kubelet refuses."""
    where = urlsplit(base)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=tls, limit=_LARGEST_HEAD)
    except (OSError, TimeoutError) as error:
        raise internal(f"error dialing backend: {error}") from None
    try:
        writer.write(_head(request, where.netloc, f"{path}?{urlencode(query)}"))
        code, headers, body = await _answer(reader)
        if code != 101:
            raise _refused(code, body)
        outer = Upgraded(request.headers["Upgrade"], {VERSION_HEADER: headers.get(VERSION_HEADER.lower(), "")})
        outer.begin(request)
        await _join(outer, reader, writer)
        return outer
    finally:
        writer.close()


def _head(request: web.Request, host: str, target: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", "Connection: Upgrade"]
    lines += [f"Upgrade: {request.headers['Upgrade']}", "Content-Length: 0"]
    lines += [f"{VERSION_HEADER}: {value}" for value in request.headers.getall(VERSION_HEADER, [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], str]:
    """Status code, headers by lower-case name, and the text of a refusal."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            code = int(first.split(" ")[1])
            size = int(headers.get("content-length", 0)) if code != 101 else 0
            return code, headers, (await reader.readexactly(size)).decode(errors="replace")
    except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError) as error:
        raise internal(f"error dialing backend: {error}") from None


def _refused(code: int, text: str) -> StatusError:
    text = f"unable to upgrade connection: {text.strip() or code}"
    return StatusError(code, "NotFound", text, {}) if code == 404 else bad_request(text)


async def _join(outer: Upgraded, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    async def from_kubelet() -> AsyncIterator[bytes]:
        while data := await reader.read(CHUNK_BYTES):
            yield data

    tasks = [asyncio.create_task(_pump(outer, send)), asyncio.create_task(_pump(from_kubelet(), outer.write))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(source: AsyncIterable[bytes], send: Callable[[bytes], Awaitable[None]]) -> None:
    with suppress(OSError):  # one side has gone: the session is over
        async for data in source:
            await send(data)
