"""Resource quantities (``500m``, ``64Mi``) in the one spelling that the API gives back.

Source: the serialisation rules in the documentation of ``resource.Quantity``: no precision lost, no fraction,
the largest suffix possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache, reduce

_FORM = re.compile(r"^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]+)?$")
_BINARY = {suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9),
    "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18),
}  # fmt: skip


class BadQuantity(ValueError):
    """Not a quantity."""


LONGEST = 1000
"""Characters; also the powers of ten beyond which only the limits are left of a number."""
MOST = 2**63 - 1
"""Larger quantities are cut down to this one."""
PATTERN = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"


def _parts(text: str) -> tuple[Fraction, str]:
    match = _FORM.match(text) if len(text) <= LONGEST else None
    if match is None:
        raise BadQuantity(f"quantities must match the regular expression '{PATTERN}'")
    number, suffix = Fraction(match[1].rstrip(".") or "0"), match[2] or ""
    if suffix in _BINARY:
        return _within(number * _BINARY[suffix]), suffix
    if suffix in _DECIMAL:
        return _within(number * _DECIMAL[suffix]), suffix
    power = max(-LONGEST, min(int(suffix[1:]), LONGEST))
    return _within(number * Fraction(10) ** power), "e"


def _within(number: Fraction) -> Fraction:
    return max(Fraction(-MOST), min(number, Fraction(MOST)))


def value(text: str) -> Fraction:
    """The number that a quantity stands for. Raises `BadQuantity`."""
    return _parts(str(text))[0]


@lru_cache(maxsize=1024)
def canonical(text: str) -> str:
    """The spelling that the API answers with. Raises `BadQuantity`."""
    return _spelled(*_parts(text))


def added(one: str, other: str) -> str:
    """The sum in the spelling of the first, or of the second when the first is nothing. Raises `BadQuantity`."""
    (number, suffix), (more, second) = _parts(one), _parts(other)
    return _spelled(_within(number + more), suffix if number else second)


def total(quantities: Iterable[str]) -> str:
    """The sum of all; ``0`` of none. Raises `BadQuantity`."""
    return reduce(added, quantities, "0")


def _spelled(number: Fraction, suffix: str) -> str:
    if suffix in _BINARY and number.denominator == 1:
        for name, factor in reversed(_BINARY.items()):
            if abs(number) >= 1024 and number % factor == 0:
                return f"{number // factor}{name}"
        return str(number)
    return _exponent(number) if suffix == "e" else _decimal(number)


def _decimal(number: Fraction) -> str:
    if number == 0:
        return "0"
    for name, factor in reversed(_DECIMAL.items()):
        if (number / factor).denominator == 1:
            return f"{number / factor}{name}"
    up = -(-abs(number) // _DECIMAL["n"])
    return f"{'-' if number < 0 else ''}{up}n"


def _exponent(number: Fraction) -> str:
    if number.denominator != 1 or number == 0:
        return _decimal(number)
    power = 0
    while number % 1000 == 0:
        number, power = number / 1000, power + 3
    return f"{number}e{power}" if power else str(number)
