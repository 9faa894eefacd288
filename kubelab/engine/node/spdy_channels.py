"""The streams of ``kubectl exec`` over SPDY as the channels that a WebSocket has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from kubelab.engine.node.channels import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, Message
from kubelab.engine.node.clock import cancel
from kubelab.engine.node.sessions import Wanted
from kubelab.engine.node.spdy import Connection, Stream

_NAMES = {"error": ERROR, "stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "resize": RESIZE}
STREAMS_SECONDS = 30
"""Within which the client opens all of its streams, as in kubelet."""


class SpdyChannels:
    """`Channels` over streams, told apart by their header ``streamType``."""

    def __init__(self, connection: Connection, streams: dict[int, Stream]) -> None:
        self._connection = connection
        self._streams = streams

    @classmethod
    async def accept(cls, connection: Connection, wanted: Wanted) -> SpdyChannels | None:
        """Wait for every stream that was asked for; None when they do not come."""
        expected = {ERROR} | ({STDIN} if wanted.stdin else set()) | ({STDOUT} if wanted.stdout else set())
        expected |= {RESIZE} if wanted.tty else {STDERR} if wanted.stderr else set()
        streams: dict[int, Stream] = {}
        try:
            async with asyncio.timeout(STREAMS_SECONDS):
                while not expected <= streams.keys():
                    stream = await connection.accept()
                    if stream is None:
                        return None
                    if stream.headers.get("streamtype", "") in _NAMES:
                        streams[_NAMES[stream.headers["streamtype"]]] = stream
        except TimeoutError:
            return None
        return cls(connection, streams)

    async def send(self, channel: int, data: bytes) -> None:
        """As `Channels.send`."""
        if channel in self._streams:
            try:
                await self._streams[channel].send(data)
            except ConnectionError:
                return

    async def __aiter__(self) -> AsyncIterator[Message]:
        frames: asyncio.Queue[Message | None] = asyncio.Queue(1)
        works = [self._read(channel, frames) for channel in (STDIN, RESIZE) if channel in self._streams]
        tasks = [asyncio.ensure_future(work) for work in (*works, self._until_gone(frames))]
        try:
            while (frame := await frames.get()) is not None:
                yield frame
        finally:
            await cancel(*tasks)

    async def _read(self, channel: int, frames: asyncio.Queue[Message | None]) -> None:
        async for data in self._streams[channel]:
            await frames.put(Message(channel, data))
        if channel == STDIN:
            await frames.put(Message(CLOSE, bytes([STDIN])))

    async def _until_gone(self, frames: asyncio.Queue[Message | None]) -> None:
        while await self._connection.accept() is not None:
            pass  # no stream more is expected
        await frames.put(None)

    async def end(self) -> None:
        """Nothing more comes from here: what a client waits for before it goes."""
        for channel in (STDOUT, STDERR, ERROR):
            if channel in self._streams:
                await self._streams[channel].end()
