"""One number beside its mark."""

from __future__ import annotations

from typing import NamedTuple


class Measure(NamedTuple):
    """One line of the report."""

    what: str
    value: float
    unit: str
    mark: float | None = None
    """None: nobody promised anything."""
    at_least: bool = False
    detail: str = ""

    def __str__(self) -> str:
        sign, promised = "·", ""
        if self.mark is not None:
            sign = "✔" if (self.value >= self.mark if self.at_least else self.value <= self.mark) else "✘"
            promised = f"(mark {'≥' if self.at_least else '≤'} {self.mark:g})"
        return f"{sign} {self.what:<44} {self.value:8.2f} {self.unit:<3} {promised} {self.detail}".rstrip()
