"""Connections that leave HTTP: the server's answer to an upgrade, and then bytes both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

from multidict import CIMultiDict

from kubelab.engine.upgraded import CHUNK_BYTES, Upgraded

LARGEST_HEAD = 64 * 1024


class Head(NamedTuple):
    """The beginning of a server's answer."""

    code: int
    headers: CIMultiDict[str]


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Read up to the empty line. Raises EOFError, ValueError, `asyncio.LimitOverrunError`, OSError."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Head(int(first.split(" ")[1]), CIMultiDict((name.strip(), value.strip()) for name, _, value in pairs))


async def read_rest(reader: asyncio.StreamReader, head: Head) -> bytes:
    """The body of a refusal, if the head says how long it is."""
    return await reader.readexactly(int(head.headers.get("Content-Length", 0)))


async def join(outer: Upgraded, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand bytes through until either side ends."""

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    async def from_server() -> AsyncIterator[bytes]:
        while data := await reader.read(CHUNK_BYTES):
            yield data

    await until_either_ends(_pump(outer, send), _pump(from_server(), outer.write))


async def until_either_ends(one: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    """Both directions of a session; what still goes on when one has ended is ended, too."""
    tasks = [asyncio.create_task(one), asyncio.create_task(other)]
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
