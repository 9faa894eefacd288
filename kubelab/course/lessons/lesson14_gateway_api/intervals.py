"""How far a share may be from its weight by chance alone: the binomial distribution, without scipy."""

from __future__ import annotations

import math
from typing import NamedTuple

from kubelab.lab.statistics import FALSE_ALARM


class Interval(NamedTuple):
    """From how many to how many, both included."""

    low: int
    high: int

    def __contains__(self, count: object) -> bool:
        return isinstance(count, int) and self.low <= count <= self.high


def binomial(n: int, share: float, false_alarm: float = FALSE_ALARM) -> Interval:
    """Where the number of n requests lies, each of which is drawn with probability ``share``.

    By chance it is outside in at most ``false_alarm`` of all runs, half of them on either side.
    """
    return Interval(_last_below(n, share, false_alarm / 2), n - _last_below(n, 1 - share, false_alarm / 2))


def _last_below(n: int, share: float, tail: float) -> int:
    """The smallest k for which P(X ≤ k) exceeds ``tail``."""
    if share in (0.0, 1.0):
        return round(n * share)
    below = 0.0
    for k in range(n + 1):
        below += math.exp(
            math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
            + k * math.log(share) + (n - k) * math.log1p(-share)
        )  # fmt: skip
        if below > tail:
            return k
    return n
