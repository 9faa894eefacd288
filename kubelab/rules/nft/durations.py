"""Spans of time as nft writes and reads them."""

from __future__ import annotations

import re

from kubelab.rules.nft.errors import NotUnderstood

_DURATION = re.compile(r"(\d+)(ms|[dhms])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def read_duration(text: str) -> float:
    """The seconds of ``2h59m8s`` or ``10800s``; a bare number is seconds. Raises `NotUnderstood`."""
    if text.isdigit():
        return int(text)
    if not re.fullmatch(f"({_DURATION.pattern})+", text):
        raise NotUnderstood(text)
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def print_duration(seconds: float) -> str:
    """``2h59m8s12ms``."""
    left = round(seconds * 1000)
    words = []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"
