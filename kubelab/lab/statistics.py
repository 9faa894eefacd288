"""Is this spread even? Pearson's chi-square test, without scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence

FALSE_ALARM = 0.001
"""How often a check may call an even spread uneven: once in a thousand runs."""


def chi_square_p(counts: Sequence[int]) -> float:
    """The probability of a spread at least as uneven as this one, if every pod were equally likely.

    Needs about five expected requests a pod to be worth anything (the usual rule for Pearson's test).
    """
    if len(counts) < 2 or sum(counts) == 0:
        return 1.0
    expected = sum(counts) / len(counts)
    statistic = sum((count - expected) ** 2 / expected for count in counts)
    return upper_tail(statistic, len(counts) - 1)


def upper_tail(statistic: float, degrees: int) -> float:
    """The chi-square distribution's upper tail for a whole number of degrees of freedom (a finite sum)."""
    half = statistic / 2
    if degrees % 2 == 0:
        term = total = math.exp(-half)
        steps = range(1, degrees // 2)
        for step in steps:
            term *= half / step
            total += term
        return min(1.0, total)
    total = math.erfc(math.sqrt(half))
    term = math.exp(-half) * math.sqrt(half) / math.gamma(1.5)
    for step in range(degrees // 2):
        total += term
        term *= half / (step + 1.5)
    return min(1.0, total)
