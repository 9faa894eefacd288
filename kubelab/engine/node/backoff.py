"""kubelet's back-off: 10 s, doubling to 5 min, forgotten after ten quiet minutes."""

from __future__ import annotations

import math

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0


class BackOff:
    """Of one container, between its runs (the first time is free) or its image's pulls (it is not)."""

    def __init__(self, *, first_is_free: bool = True) -> None:
        self._least = 0.0 if first_is_free else FIRST_SECONDS
        self._seconds = self._least
        self._last = -math.inf
        self.last_seconds = 0.0
        """What `next` answered last."""

    def next(self, now: float) -> float:
        """Seconds to wait before trying again, counted from ``now`` (`Clock.passed`)."""
        if now - self._last > 2 * LONGEST_SECONDS:
            self._seconds = self._least
        wait = self._seconds
        self._seconds = min(max(wait * 2, FIRST_SECONDS), LONGEST_SECONDS)
        self._last = now
        self.last_seconds = wait
        return wait


def go_duration(seconds: float) -> str:
    """``10s``, ``1m20s``, ``5m0s``: as messages show it."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
