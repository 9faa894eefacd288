"""Points in time as metadata has them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch as ``2026-01-31T12:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> float:
    """The way back from `rfc3339`; fractions and offsets are understood."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
