"""SPDY/3.1 as Kubernetes speaks it: a server's end of one connection, its streams opened by the client.

kubectl's port-forward comes so, in frames of a WebSocket (KEP-4006), and everything that kube-apiserver asks of a
kubelet. Its library sends no settings and keeps no windows, so there is no flow control but the connection's own.
Source: draft-mbelshe-httpbis-spdy-00 (layout of frames).
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

from kubelab.engine.node.spdy_dictionary import DICTIONARY

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 1
_CONTROL = 0x8003
_CANCEL = 5
MOST_WAITING = 64
"""Chunks that a stream's reader may lag behind before the connection is not read any more."""
LARGEST_FRAME = 1 << 20

Write = Callable[[bytes], Awaitable[None]]


class BadFrame(Exception):
    """The bytes are not SPDY/3.1."""


class Stream:
    """One stream that the client has opened. Reading it yields its bytes until the client ends or resets it."""

    def __init__(self, connection: Connection, number: int, headers: dict[str, str]) -> None:
        self.number = number
        self.headers = headers
        """By their lower-case names."""
        self.was_reset = False
        self._connection = connection
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        self._deaf = False
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (data := await self._waiting.get()) is not None:
            yield data

    async def send(self, data: bytes) -> None:
        """Send bytes to the client; quiet when the stream is at its end."""
        if not self._ended and data:
            await self._connection.write_data(self.number, data)

    async def end(self) -> None:
        """Nothing more comes from here."""
        if not self._ended:
            self._ended = True
            await self._connection.write_data(self.number, b"", FIN)

    async def reset(self) -> None:
        """End both directions at once."""
        self.ignore()
        self._ended = True
        await self._connection.write_control(RST_STREAM, struct.pack("!II", self.number, _CANCEL))

    def ignore(self) -> None:
        """Drop what the client still sends."""
        self._deaf = True
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def take(self, data: bytes | None, *, reset: bool = False) -> None:
        """What came for it; None: the end."""
        if reset:
            self.was_reset = self._ended = True
        if not self._deaf:
            await self._waiting.put(data)


class Connection:
    """``write`` sends bytes to the client. Feed it by `run`; new streams come from `accept`."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._sending = asyncio.Lock()
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._streams: dict[int, Stream] = {}
        self._opened: asyncio.Queue[Stream | None] = asyncio.Queue()

    async def accept(self) -> Stream | None:
        """The next stream that the client opens; None when it has gone."""
        return await self._opened.get()

    async def run(self, chunks: AsyncIterator[bytes]) -> None:
        """Read until the client goes. Raises `BadFrame`."""
        rest = bytearray()
        try:
            async for chunk in chunks:
                rest += chunk
                while len(rest) >= 8:
                    size = int.from_bytes(rest[5:8], "big")
                    if size > LARGEST_FRAME:
                        raise BadFrame(f"a frame of {size} bytes")
                    if len(rest) < 8 + size:
                        break
                    head, payload = bytes(rest[:8]), bytes(rest[8 : 8 + size])
                    del rest[: 8 + size]
                    await self._frame(head, payload)
        finally:
            self._opened.put_nowait(None)
            for stream in self._streams.values():
                stream.ignore()
                stream._waiting.put_nowait(None)

    async def _frame(self, head: bytes, payload: bytes) -> None:
        first, flags = int.from_bytes(head[:4], "big"), head[4]
        if not head[0] & 0x80:
            await self._to_stream(first, payload, ended=bool(flags & FIN))
            return
        if first >> 16 != _CONTROL:
            raise BadFrame(f"not SPDY/3.1 (first bytes {head[:4].hex()})")
        kind = first & 0xFFFF
        if kind == SYN_STREAM:
            await self._open(payload, ended=bool(flags & FIN))
        elif kind == RST_STREAM:
            stream = self._streams.pop(int.from_bytes(payload[:4], "big"), None)
            if stream is not None:
                await stream.take(None, reset=True)
        elif kind == PING:
            await self.write_control(PING, payload)
        # GOAWAY, SETTINGS, HEADERS and WINDOW_UPDATE ask for nothing here

    async def _to_stream(self, number: int, payload: bytes, *, ended: bool) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        if payload:
            await stream.take(payload)
        if ended:
            del self._streams[number]
            await stream.take(None)

    async def _open(self, payload: bytes, *, ended: bool) -> None:
        number = int.from_bytes(payload[:4], "big")
        stream = Stream(self, number, self._headers(payload[10:]))
        self._streams[number] = stream
        await self._reply(number)
        self._opened.put_nowait(stream)
        if ended:
            await self._to_stream(number, b"", ended=True)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block)
        except zlib.error as error:
            raise BadFrame(f"headers: {error}") from error
        words, at = [], 4
        while at + 4 <= len(plain):
            size = int.from_bytes(plain[at : at + 4], "big")
            words.append(plain[at + 4 : at + 4 + size].decode("latin-1"))
            at += 4 + size
        return {name.lower(): value.partition("\0")[0] for name, value in zip(words[::2], words[1::2], strict=False)}

    async def _reply(self, number: int) -> None:
        async with self._sending:  # the order of header blocks is the compressor's
            block = self._deflate.compress(bytes(4)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            await self._write(_control(SYN_REPLY, number.to_bytes(4, "big") + block))

    async def write_control(self, kind: int, payload: bytes) -> None:
        """Send a control frame without headers."""
        async with self._sending:
            await self._write(_control(kind, payload))

    async def write_data(self, number: int, data: bytes, flags: int = 0) -> None:
        """Send a data frame."""
        async with self._sending:
            await self._write(struct.pack("!IB", number, flags) + len(data).to_bytes(3, "big") + data)


def _control(kind: int, payload: bytes) -> bytes:
    return struct.pack("!HHB", _CONTROL, kind, 0) + len(payload).to_bytes(3, "big") + payload
