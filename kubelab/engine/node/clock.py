"""Time for the node agent: tests bring a clock of their own.

The time is for stamps; how long something takes is counted by a clock that nobody sets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Where the node agent reads the time and waits."""

    def now(self) -> datetime:
        """The time, UTC."""
        ...

    def passed(self) -> float:
        """Seconds, of which only differences mean something: they pass alike when the time is set."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class SystemClock:
    """The machine's clock and the event loop's timers."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def passed(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def stamp(moment: datetime) -> str:
    """Seconds, UTC, ``Z``: a timestamp in the API (metav1.Time)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_micro(moment: datetime) -> str:
    """Microseconds, UTC, ``Z``: metav1.MicroTime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """A timestamp of the API, with or without a fraction (nanoseconds are cut). Raises ValueError."""
    head, dot, rest = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        head += "." + rest[:digits][:6].ljust(6, "0") + rest[digits:]
    return datetime.fromisoformat(head)


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of ``work``. Raises TimeoutError, with the work cancelled, when it takes longer."""
    task: asyncio.Future[T] = asyncio.ensure_future(work)
    try:
        await first(task, clock.sleep(max(seconds, 0)), cancel=False)
        if task.done():
            return task.result()
    finally:  # whoever waited may have been cancelled: then nobody is left to take what it comes to
        await cancel(task)
    raise TimeoutError


async def first(*works: Awaitable[Any], cancel: bool = True) -> None:
    """Wait until one of them is done. Those that were handed over as coroutines are cancelled, and with ``cancel``
    the futures too; an exception of a coroutine is raised."""
    futures = [asyncio.ensure_future(work) for work in works]
    own = [future for work, future in zip(works, futures, strict=True) if future is not work]
    try:
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel_all([future for future in futures if cancel or future in own])
    for future in own:
        if future.done() and not future.cancelled() and future.exception() is not None:
            future.result()


async def cancel(*futures: asyncio.Future[Any]) -> None:
    """Cancel, and wait until they have ended; what they raised is dropped."""
    await _cancel_all(futures)


async def _cancel_all(futures: Any) -> None:
    for future in futures:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)


class Deadline:
    """A moment that may be moved nearer while others wait for it."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._at = clock.passed() + seconds
        self._nearer = asyncio.Event()

    @property
    def seconds_left(self) -> float:
        """Until then; never negative."""
        return max(self._at - self._clock.passed(), 0.0)

    def shorten(self, seconds: float) -> None:
        """At most that many seconds from now."""
        at = self._clock.passed() + seconds
        if at < self._at:
            self._at = at
            self._nearer.set()

    def at_least(self, seconds: float) -> None:
        """At least that many seconds from now."""
        self._at = max(self._at, self._clock.passed() + seconds)

    async def passed(self) -> None:
        """Wait for it."""
        while self.seconds_left > 0:
            self._nearer.clear()
            await first(self._clock.sleep(self.seconds_left), self._nearer.wait())
