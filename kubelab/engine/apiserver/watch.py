"""Watches: streams of the changes of one resource, from any revision that is still remembered."""

from __future__ import annotations

import asyncio
import random
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from kubelab.engine.apiserver.encoding import encode_object
from kubelab.engine.apiserver.selectors import Predicate
from kubelab.engine.apiserver.status import expired
from kubelab.engine.apiserver.storage import Event, Shelf, Stored

Render = Callable[[str, Stored], bytes]
"""Turns an event's type and object into the line that is sent."""

BOOKMARK_SECONDS = 60.0
LAST_BOOKMARK_SECONDS = 2.0
"""Before the end of a watch comes a last one, so that the next can go on from there."""
MOST_UNREAD = 2 << 20
PATIENCE_SECONDS = 10.0
"""A client that leaves so many bytes of events unread for so long loses its watch, and can begin another."""
SHORTEST_DEFAULT_SECONDS = 1800.0


class WatchStream(AsyncIterator[bytes]):
    """The body of a watch's answer: each chunk is one or more whole lines.

    A stream that nobody holds any more goes away by itself: the hub knows it only weakly.
    """

    def __init__(self, wanted: Callable[[Stored], bool], render: Render, bookmark: Callable[[], bytes] | None) -> None:
        self._wanted = wanted
        self._render = render
        self._bookmark = bookmark
        self._pending: deque[bytes] = deque()
        self._unread = 0
        self._unread_since = 0.0
        self._wake = asyncio.Event()
        self._closed = False
        self._deadline = float("inf")

    def last_for(self, seconds: float) -> None:
        """End the stream after so many seconds."""
        self._deadline = asyncio.get_running_loop().time() + seconds

    def send(self, line: bytes) -> None:
        """Queue a line."""
        self._pending.append(line)
        self._wake.set()

    def take(self, event: Event) -> None:
        """Queue an event as this stream's selector sees it: an object may come into view or leave it."""
        if self._closed:
            return
        if self._is_abandoned():
            self._pending.clear()
            self.close()
            return
        now = event.type != "DELETED" and self._wanted(event.new)
        before = event.old is not None and self._wanted(event.old)
        if now:
            self._queue(self._render("MODIFIED" if before else "ADDED", event.new))
        elif before:
            self._queue(self._render("DELETED", event.new if event.type == "DELETED" else _leaving(event)))

    def _is_abandoned(self) -> bool:
        return self._unread > MOST_UNREAD and time.monotonic() - self._unread_since > PATIENCE_SECONDS

    def _queue(self, line: bytes) -> None:
        if not self._pending:
            self._unread_since = time.monotonic()
        self._unread += len(line)
        self.send(line)

    def close(self) -> None:
        """End the stream after what is pending."""
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> WatchStream:
        return self

    async def __anext__(self) -> bytes:
        while not self._pending:
            if self._closed:
                raise StopAsyncIteration
            await self._sleep()
        chunk = b"".join(self._pending)
        self._pending.clear()
        self._unread = 0
        return chunk

    async def _sleep(self) -> None:
        self._wake.clear()
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            self._closed = True
            return
        is_late = self._bookmark is None or left <= LAST_BOOKMARK_SECONDS
        pause = left if is_late else min(left - LAST_BOOKMARK_SECONDS, BOOKMARK_SECONDS)
        try:
            async with asyncio.timeout(None if pause == float("inf") else pause):
                await self._wake.wait()
        except TimeoutError:
            if self._bookmark and not is_late:
                self.send(self._bookmark())


def _leaving(event: Event) -> Stored:
    """The object as it was before it left the selection, at the revision of its leaving."""
    assert event.old is not None
    meta = {**event.old.obj["metadata"], "resourceVersion": str(event.revision)}
    obj = {**event.old.obj, "metadata": meta}
    return Stored(event.new.key, event.revision, obj, encode_object(obj, obj["kind"], obj["apiVersion"]))


class WatchHub:
    """Hands the events of every shelf to the streams that watch it."""

    def __init__(self) -> None:
        self._streams: dict[str, weakref.WeakSet[WatchStream]] = {}
        self._closed = False

    def attach(self, shelf: Shelf, stream: WatchStream) -> None:
        """Feed the stream from now on."""
        streams = self._streams.get(shelf.name)
        if streams is None:
            streams = self._streams[shelf.name] = weakref.WeakSet()
            shelf.listeners.append(lambda event: self._publish(shelf.name, event))
        streams.add(stream)
        if self._closed:
            stream.close()

    def _publish(self, shelf: str, event: Event) -> None:
        for stream in list(self._streams[shelf]):
            stream.take(event)

    def hang_up(self, shelf: str) -> None:
        """End the streams that watch a shelf."""
        for stream in list(self._streams.get(shelf, ())):
            stream.close()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for streams in self._streams.values():
            for stream in list(streams):
                stream.close()


def replay(shelf: Shelf, revision: int, stream: WatchStream) -> None:
    """Queue every event after ``revision``. Raises 410 Expired when some are forgotten."""
    if revision < shelf.floor:
        raise expired(f"too old resource version: {revision} ({shelf.floor})")
    missed: list[Event] = []
    for event in reversed(shelf.events):
        if event.revision <= revision:
            break
        missed.append(event)
    for event in reversed(missed):
        stream.take(event)


def introduce(stream: WatchStream, objects: Iterable[Stored], wanted: Callable[[Stored], bool], render: Render) -> None:
    """Queue what is there already as ADDED."""
    for stored in objects:
        if wanted(stored):
            stream.send(render("ADDED", stored))


def lifetime(timeout_seconds: str) -> float:
    """Seconds that a watch lasts: what the client asks, else 30 to 60 minutes as upstream."""
    try:
        asked = int(timeout_seconds or 0)
    except ValueError:
        asked = 0
    return float(asked) if asked > 0 else SHORTEST_DEFAULT_SECONDS * (1 + random.random())


def wanted_by(namespace: str, predicate: Predicate | None) -> Callable[[Stored], bool]:
    """Whether a stored object is in the namespace and selected."""

    def wanted(stored: Stored) -> bool:
        return (not namespace or stored.key[0] == namespace) and (predicate is None or predicate(stored.obj))

    return wanted
