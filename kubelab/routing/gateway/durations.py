"""Durations as the Gateway API writes them: ``1h``, ``1m30s``, ``500ms`` (GEP-2257)."""

from __future__ import annotations

import re

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d{1,5})(h|ms|m|s)")


def seconds(text: str | None) -> float | None:
    """In seconds; None when nothing is said. The API server has seen to it that the form is right."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text)) if text else None
