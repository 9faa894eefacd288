"""Is this spread even? Pearson's chi-square test, without scipy."""

from __future__ import annotations

import math
from collections.abc import Sequence

FALSE_ALARM = 0.001
"""How often a check may call an even spread uneven: once in a thousand runs."""


def chi_square_p(counts: Sequence[int], weights: Sequence[float] = ()) -> float:
    """The probability of a spread at least as far from the weights as this one, if chance kept to them.

    Without weights every pod is equally likely. Needs about five expected requests a pod to be worth anything (the
    usual rule for Pearson's test). Something with weight 0 that was counted all the same has the probability 0.
    """
    shares = weights or [1.0] * len(counts)
    expected = [sum(counts) * share / sum(shares) for share in shares]
    if any(count and not wanted for count, wanted in zip(counts, expected, strict=True)):
        return 0.0
    terms = [(count - wanted) ** 2 / wanted for count, wanted in zip(counts, expected, strict=True) if wanted]
    return upper_tail(sum(terms), len(terms) - 1) if len(terms) > 1 else 1.0


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
