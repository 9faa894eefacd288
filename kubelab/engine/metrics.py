"""Counters, gauges and histograms in the text form that Prometheus reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

_BUCKETS = tuple(0.001 * 2**power for power in range(15))

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters, gauges and histograms by name and labels."""

    def __init__(
        self, labels: Mapping[str, str] | None = None, *, buckets: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        """``labels`` are of every metric; ``buckets`` are the upper bounds of histograms that have their own."""
        self._labels = dict(labels or {})
        self._buckets = dict(buckets or {})
        self._values: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, list[float]]] = {}
        self._kinds: dict[str, str] = {}

    def _key(self, labels: Mapping[str, str]) -> Labels:
        return tuple(sorted({**self._labels, **labels}.items()))

    def add(self, name: str, amount: float = 1, /, **labels: str) -> None:
        """Raise a counter."""
        self._kinds[name] = "counter"
        values = self._values.setdefault(name, {})
        values[self._key(labels)] = values.get(self._key(labels), 0) + amount

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._kinds[name] = "gauge"
        self._values.setdefault(name, {})[self._key(labels)] = value

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Add to a histogram, of durations if it has no buckets of its own."""
        self._kinds[name] = "histogram"
        bounds = self._buckets.get(name, _BUCKETS)
        counts = self._histograms.setdefault(name, {}).setdefault(self._key(labels), [0.0] * (len(bounds) + 2))
        counts[bisect_left(bounds, seconds)] += 1
        counts[-1] += seconds

    def value(self, name: str, /, **labels: str) -> float:
        """A counter or gauge, 0 when it was never touched; for a histogram how often it was observed."""
        if name in self._histograms:
            return sum(self._histograms[name].get(self._key(labels), [0.0])[:-1])
        return self._values.get(name, {}).get(self._key(labels), 0)

    def text(self) -> str:
        """The exposition format, sorted by name."""
        lines: list[str] = []
        for name, kind in sorted(self._kinds.items()):
            lines.append(f"# TYPE {name} {kind}")
            for labels, value in sorted(self._values.get(name, {}).items()):
                lines.append(f"{name}{_braces(labels)} {value:.15g}")
            for labels, counts in sorted(self._histograms.get(name, {}).items()):
                lines += _histogram(name, labels, counts, self._buckets.get(name, _BUCKETS))
        return "\n".join([*lines, ""])


def _histogram(name: str, labels: Labels, counts: list[float], bounds: Sequence[float]) -> list[str]:
    lines, total = [], 0.0
    for bound, count in zip([*(f"{bound:g}" for bound in bounds), "+Inf"], counts, strict=False):
        total += count
        lines.append(f"{name}_bucket{_braces((*labels, ('le', bound)))} {total:.15g}")
    return [*lines, f"{name}_sum{_braces(labels)} {counts[-1]:.9g}", f"{name}_count{_braces(labels)} {total:.15g}"]


def _braces(labels: Labels) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels) + "}" if labels else ""
