"""When to sync: at once after quiet, never twice within the minimum period, again after a failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class BoundedRunner:
    """Runs ``work`` whenever it was asked for, at least ``min_period`` seconds after the end of the run before.

    ``work`` answers whether it succeeded; after a failure, and after ``max_period`` seconds without a request, it is
    run anyway.
    """

    def __init__(
        self, work: Callable[[], Awaitable[bool]], *, min_period: float, retry_period: float, max_period: float
    ) -> None:
        self._work = work
        self._min_period = min_period
        self._retry_period = retry_period
        self._max_period = max_period
        self._asked = asyncio.Event()
        self.asked_at: float | None = None
        """When the oldest request came that no run has answered (loop time); None when there is none."""

    def ask(self) -> None:
        """Run soon."""
        if self.asked_at is None:
            self.asked_at = asyncio.get_running_loop().time()
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        wait = self._max_period
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), wait)
            self._asked.clear()
            asked_at, self.asked_at = self.asked_at, None
            succeeded = await self._work()
            if not succeeded and self.asked_at is None:
                self.asked_at = asked_at if asked_at is not None else loop.time()
            wait = self._max_period if succeeded else self._retry_period
            await asyncio.sleep(self._min_period)
