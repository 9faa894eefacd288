"""A server's connection that leaves HTTP for a protocol that aiohttp does not know (SPDY/3.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

CHUNK_BYTES = 64 * 1024


class Upgraded(web.StreamResponse):
    """Answer it from a handler after `begin`; until then nothing is sent.

    Reading it yields the client's bytes until it goes; ``await write(data)`` sends, at the client's pace.
    """

    def __init__(self, protocol: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status=101)
        self._lines = {"Connection": "Upgrade", "Upgrade": protocol, **(headers or {})}
        self._reader = asyncio.StreamReader()
        self._protocol: Any = None

    def begin(self, request: web.BaseRequest) -> None:
        """Send ``101 Switching Protocols``; what comes from now on is read here."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        self._protocol = request.protocol
        self._reader.set_transport(transport)
        head = "".join(f"{name}: {value}\r\n" for name, value in self._lines.items())
        transport.write(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode("latin-1"))
        request.protocol.set_parser(cast(Any, _Feed(self._reader)))

    async def __aiter__(self) -> AsyncIterator[bytes]:  # type: ignore[override]
        while data := await self._reader.read(CHUNK_BYTES):
            yield data

    async def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send bytes. Raises ConnectionError when the client has gone."""
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(data)
        await self._protocol._drain_helper()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing: `begin` has done it."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """The session is over, and with it the connection."""
        if self._protocol.transport is not None:
            self._protocol.transport.close()
        self._protocol.force_close()


class _Feed:
    """What aiohttp hands a connection's bytes to."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        self._reader.feed_eof()
