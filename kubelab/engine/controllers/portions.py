"""Numbers of pods that may be given as a percentage."""

from __future__ import annotations


def in_pods(value: int | str, total: int, *, round_up: bool) -> int:
    """``25%`` of ``total`` pods, rounded up or down; a plain number is what it is."""
    if isinstance(value, str) and value.endswith("%"):
        percent = int(value[:-1]) * total
        return -(-percent // 100) if round_up else percent // 100
    return int(value)
