"""The loop that every controller is: a queue of keys, one reconcile at a time for each key, back-off on failure.

A key that is added while it waits is kept once; one added while it is being worked on is done again afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from kubelab.engine.client.errors import ApiError, is_conflict, is_not_found

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS = 0.01
LONGEST_RETRY_SECONDS = 10.0


class WorkQueue(Generic[K]):
    """Calls ``reconcile(key)`` for every key added, ``workers`` of them at a time."""

    def __init__(self, name: str, reconcile: Callable[[K], Awaitable[None]], *, workers: int = 4) -> None:
        self._name = name
        self._reconcile = reconcile
        self._workers = workers
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: set[K] = set()
        self._active: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}

    def add(self, key: K) -> None:
        """Reconcile ``key`` soon."""
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._active:
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Reconcile ``key`` after a delay; the earliest of several wins."""
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        known = self._timers.get(key)
        if known is not None and not known.cancelled() and known.when() <= when:
            return
        if known is not None:
            known.cancel()
        self._timers[key] = loop.call_at(when, self._ring, key)

    def _ring(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._active.add(key)
            try:
                await self._reconcile(key)
                self._failures.pop(key, None)
            except Exception as error:
                self._retry(key, error)
            finally:
                self._active.discard(key)
                if key in self._waiting:
                    self._ready.put_nowait(key)

    def _retry(self, key: K, error: Exception) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        if not (is_conflict(error) or is_not_found(error)):
            log.log(
                logging.WARNING if isinstance(error, ApiError | OSError) else logging.ERROR,
                "%s: %s: %.500s",
                self._name,
                key,
                error,
                exc_info=None if isinstance(error, ApiError | OSError) else error,
            )
        self.add_after(key, min(FIRST_RETRY_SECONDS * 2**failures, LONGEST_RETRY_SECONDS))
