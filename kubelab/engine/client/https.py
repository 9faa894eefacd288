"""The API over HTTPS, for a client outside the API server's process: a bearer token or a certificate, and a private CA.

Written on the standard library's streams, because its users are pods of the system, which should start in a blink and
stay small; a general HTTP library costs a tenth of a second and fourteen megabytes. A connection is used again when
its answer was read to the end.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit
from weakref import WeakSet

from kubelab.engine.client.transport import ApiRequest, ApiResponse, StreamRefused, split_lines

CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 30.0
IDLE_SECONDS = 5.0
MOST_IDLE = 4
"""Connections that wait for a request, and for how long: servers let go of theirs later than that."""

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Head(NamedTuple):
    status: int
    headers: dict[str, str]


_Exchange = tuple[_Streams, _Head, AsyncGenerator[bytes, None]]


class HttpsTransport:
    """See `kubelab.engine.client.transport.Transport`. Every failure of the connection is an OSError."""

    def __init__(
        self,
        server: str,
        *,
        ca_file: str,
        token: str | Path = "",
        user_agent: str = "kubelab",
        certificate: str = "",
        key: str | None = None,
        impersonate: str = "",
    ) -> None:
        """Whoever asks shows a token, or a certificate.

        A token's path is read anew for each request: a node replaces a pod's token long before it runs out. The path
        ``certificate`` holds its key too, unless ``key`` says where that is. With ``impersonate`` the requests are
        another user's (https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/).
        """
        url = urlsplit(server)
        self._host, self._port = url.hostname or "", url.port or 443
        self._server = server.rstrip("/")
        self._tls = ssl.create_default_context(cafile=ca_file)
        if certificate:
            self._tls.load_cert_chain(certificate, key)
        self._headers = {"host": url.netloc, "user-agent": user_agent}
        if impersonate:
            self._headers["impersonate-user"] = impersonate
        self._token = token
        self._idle: list[tuple[float, _Streams]] = []
        """Since when (the loop's time), and the connection."""
        self._writers: WeakSet[asyncio.StreamWriter] = WeakSet()

    async def request(self, request: ApiRequest) -> ApiResponse:
        async with asyncio.timeout(REQUEST_SECONDS):
            if (known := self._take_idle()) is not None:
                try:
                    return await self._ask(request, known)
                except ConnectionError:  # hung up meanwhile: what does the same when it is done twice is asked again
                    if request.method == "POST":
                        raise
            return await self._ask(request, None)

    async def _ask(self, request: ApiRequest, streams: _Streams | None) -> ApiResponse:
        async with self._exchange(request, streams) as (used, head, body):
            response = ApiResponse(head.status, b"".join([chunk async for chunk in body]), head.headers)
            if _is_delimited(head.headers):
                self._idle.append((asyncio.get_running_loop().time(), used))
        return response

    def _take_idle(self) -> _Streams | None:
        """The connection that was used last, if the server has not hung up; those that waited too long are closed."""
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        fresh = [(since, each) for since, each in self._idle if since > oldest and not each[0].at_eof()][-MOST_IDLE:]
        for each in self._idle:
            if each not in fresh:
                each[1][1].close()
        self._idle = fresh
        return self._idle.pop()[1] if self._idle else None

    async def lines(self, request: ApiRequest) -> AsyncIterator[bytes]:
        async with self._exchange(request, None) as (_, head, body):
            if head.status != 200:
                raise StreamRefused(ApiResponse(head.status, b"".join([chunk async for chunk in body]), head.headers))
            async with aclosing(split_lines(body)) as lines:
                async for line in lines:
                    yield line

    async def close(self) -> None:
        """Hang up, also on whoever is slow to say goodbye: whoever closes may end the event loop at once."""
        for writer in list(self._writers):
            with suppress(AttributeError):  # of Python 3.11, for TLS that was closed twice
                writer.transport.abort()
        self._idle.clear()
        for _ in range(3):  # each transport lets go of its socket in one of the loop's next rounds
            await asyncio.sleep(0)

    async def _open(self) -> _Streams:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        self._writers.add(writer)
        return reader, writer

    @asynccontextmanager
    async def _exchange(self, request: ApiRequest, streams: _Streams | None) -> AsyncIterator[_Exchange]:
        """Send, and give the answer's head and its body as it comes; then hang up, unless it was put among the idle."""
        try:
            used = streams or await self._open()
            reader, writer = used
            try:
                writer.write(self._encode(request))
                await writer.drain()
                head = await _read_head(reader)
                async with aclosing(_body(reader, head.headers)) as body:
                    yield used, head, body
            finally:
                if all(each is not used for _, each in self._idle):
                    writer.close()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ConnectionError(f"{request.method} {self._server}{request.path}: the answer broke off") from error
        except OSError as error:
            what = str(error) or type(error).__name__
            raise ConnectionError(f"{request.method} {self._server}{request.path}: {what}") from error

    def _encode(self, request: ApiRequest) -> bytes:
        target = f"{request.path}?{urlencode(request.query)}" if request.query else request.path
        headers = {**request.headers, **self._headers}
        if token := self._token.read_text().strip() if isinstance(self._token, Path) else self._token:
            headers["authorization"] = f"Bearer {token}"
        if request.body:
            headers["content-length"] = str(len(request.body))
        lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + request.body


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return _Head(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in fields})


def _is_delimited(headers: dict[str, str]) -> bool:
    """Whether the end of the answer is not the end of the connection."""
    if "close" in headers.get("connection", ""):
        return False
    return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "")


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncGenerator[bytes, None]:
    if "chunked" in headers.get("transfer-encoding", ""):
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            yield (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while chunk := await reader.read(65536):
            yield chunk
