"""The API over HTTPS, for a client outside the API server's process: a bearer token and a private CA.

Written on the standard library's streams, because its user is the name server's pod, which should start in a blink and
stay small; a general HTTP library costs it a tenth of a second and fourteen megabytes. One connection a request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from kubelab.engine.client.transport import ApiRequest, ApiResponse, StreamRefused, split_lines

CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 30.0

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Head(NamedTuple):
    status: int
    headers: dict[str, str]


class HttpsTransport:
    """See `kubelab.engine.client.transport.Transport`. Every failure of the connection is an OSError."""

    def __init__(self, server: str, *, ca_file: str, token: str, user_agent: str = "kubelab") -> None:
        url = urlsplit(server)
        self._host, self._port = url.hostname or "", url.port or 443
        self._server = server.rstrip("/")
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._headers = {
            "host": url.netloc,
            "authorization": f"Bearer {token}",
            "user-agent": user_agent,
            "connection": "close",
        }

    async def request(self, request: ApiRequest) -> ApiResponse:
        async with asyncio.timeout(REQUEST_SECONDS), self._exchange(request) as (head, body):
            return ApiResponse(head.status, b"".join([chunk async for chunk in body]), head.headers)

    async def lines(self, request: ApiRequest) -> AsyncIterator[bytes]:
        async with self._exchange(request) as (head, body):
            if head.status != 200:
                raise StreamRefused(ApiResponse(head.status, b"".join([chunk async for chunk in body]), head.headers))
            async with aclosing(split_lines(body)) as lines:
                async for line in lines:
                    yield line

    async def close(self) -> None:
        """Nothing to let go of: a connection lives as long as its request."""

    async def _open(self) -> _Streams:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(self._host, self._port, ssl=self._tls)

    @asynccontextmanager
    async def _exchange(self, request: ApiRequest) -> AsyncIterator[tuple[_Head, AsyncGenerator[bytes, None]]]:
        """Send, and give the answer's head and its body as it comes."""
        try:
            reader, writer = await self._open()
            try:
                writer.write(self._encode(request))
                await writer.drain()
                head = await _read_head(reader)
                async with aclosing(_body(reader, head.headers)) as body:
                    yield head, body
            finally:
                writer.close()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ConnectionError(f"{request.method} {self._server}{request.path}: the answer broke off") from error
        except OSError as error:
            what = str(error) or type(error).__name__
            raise ConnectionError(f"{request.method} {self._server}{request.path}: {what}") from error

    def _encode(self, request: ApiRequest) -> bytes:
        target = f"{request.path}?{urlencode(request.query)}" if request.query else request.path
        headers = {**request.headers, **self._headers}
        if request.body:
            headers["content-length"] = str(len(request.body))
        lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + request.body


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return _Head(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in fields})


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncGenerator[bytes, None]:
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            yield (await reader.readexactly(size + 2))[:-2]
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while chunk := await reader.read(65536):
            yield chunk
