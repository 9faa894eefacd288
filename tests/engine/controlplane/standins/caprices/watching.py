"""Watches that come late, end early, have forgotten, and mark where they are when they feel like it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from common import SLOWNESS

from caprices import wire
from caprices.refusals import status
from kubelab.engine.client import ApiRequest, ApiResponse

SHORTEST, LONGEST, LATE = 1.0, 5.0, 0.8 * SLOWNESS
"""Seconds: what a watch lasts, and by how much its events are late at most, each stream's by as much."""
GONE, EXPIRES, MARKED = 0.02, 0.1, 0.3


def is_watch(request: ApiRequest) -> bool:
    return dict(request.query).get("watch") in ("true", "1")


def gone(chance: random.Random, request: ApiRequest) -> ApiResponse | None:
    """410 instead of a watch."""
    if not is_watch(request) or _version(request) in ("", "0") or chance.random() >= GONE:
        return None
    return status(410, "Expired", f"too old resource version: {_version(request)}")


def _version(request: ApiRequest) -> str:
    return dict(request.query).get("resourceVersion", "")


async def moody(
    chance: random.Random,
    stream: Any,
    request: ApiRequest,
    written: Callable[[bytes], bytes],
    revision: Callable[[], int],
) -> AsyncIterator[bytes]:
    """The stream's lines, each as ``written`` makes it, in their order and in no particular pieces."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    reading = asyncio.ensure_future(_read(chance, stream, lines))
    end = loop.time() + chance.uniform(SHORTEST, LONGEST)
    said = b""
    with_marks = dict(request.query).get("allowWatchBookmarks") in ("true", "1")
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                while True:
                    due, line = await lines.get()
                    await asyncio.sleep(due - loop.time())
                    ready = line
                    while not lines.empty() and line and chance.random() < 0.5:  # another on its heels
                        line = lines.get_nowait()[1]
                        ready += line
                    for each in ready.splitlines():
                        said = each
                        for piece in wire.pieces(chance, written(each) + b"\n"):
                            yield piece
                    if not line:
                        return
                    if with_marks and lines.empty() and not stream._pending and chance.random() < MARKED:
                        yield written(_mark(said, revision())) + b"\n"
        if chance.random() < EXPIRES:
            error = json.loads(status(410, "Expired", "The resourceVersion for the provided watch is too old.").body)
            yield json.dumps({"type": "ERROR", "object": error}).encode() + b"\n"
    finally:
        reading.cancel()


async def _read(chance: random.Random, stream: AsyncIterator[bytes], lines: asyncio.Queue[tuple[float, bytes]]) -> None:
    """Every line, with when it is to be sent; an empty one at the end."""
    loop, late = asyncio.get_running_loop(), chance.uniform(0, LATE)
    async for chunk in stream:
        for line in chunk.splitlines(keepends=True):
            lines.put_nowait((loop.time() + late, line))
    lines.put_nowait((loop.time() + late, b""))


def _mark(line: bytes, revision: int) -> bytes:
    """After everything up to a revision was sent: the kind of what was sent last, and nothing else of it."""
    obj = json.loads(line)["object"]
    kept = {key: obj[key] for key in ("kind", "apiVersion") if key in obj}
    return json.dumps({"type": "BOOKMARK", "object": {**kept, "metadata": {"resourceVersion": str(revision)}}}).encode()
