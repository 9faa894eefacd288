"""The syntax of numbers that can also be shares of a whole."""

from __future__ import annotations

import re
from typing import Any

from kubelab.engine.apiserver.validation.fields import FieldError, invalid

_PERCENT = re.compile(r"[0-9]+%")
NOT_NEGATIVE = "must be greater than or equal to 0"


def non_negative(holder: dict[str, Any], at: str, *members: str) -> list[FieldError]:
    """The members that are set and below zero."""
    return [
        invalid(f"{at}.{member}" if at else member, holder[member], NOT_NEGATIVE)
        for member in members
        if isinstance(holder.get(member), int) and holder[member] < 0
    ]


def count_or_percent(value: int | str, at: str, *, at_most_all: bool = False) -> list[FieldError]:
    """A count from zero up or a percentage, which ``at_most_all`` keeps to 100."""
    if isinstance(value, int):
        return [] if value >= 0 else [invalid(at, value, NOT_NEGATIVE)]
    if not _PERCENT.fullmatch(value):
        return [invalid(at, value, "a valid percent string must be a numeric string followed by an ending '%'")]
    if at_most_all and int(value[:-1]) > 100:
        return [invalid(at, value, "must not be greater than 100%")]
    return []


def is_zero(value: int | str) -> bool:
    """Whether a count or a percentage that is valid stands for nothing."""
    return int(str(value).removesuffix("%")) == 0
