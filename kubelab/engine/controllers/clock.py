"""Time as the API writes it, and where a controller reads it from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Tells the time, in UTC. Controllers take one, so that tests can turn it."""

Steady = Callable[[], float]
"""Seconds, of which only differences mean something (`time.monotonic`): they pass alike when the time is set."""


def system_clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


def parse(text: str) -> datetime:
    """Read ``2026-11-23T10:00:00Z``, with or without a fraction of a second."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def written(time: datetime) -> str:
    """Write seconds, UTC, ``Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
