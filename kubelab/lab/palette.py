"""Colours and shapes that stay apart for every reader (Okabe and Ito, https://jfly.uni-koeln.de/color/)."""

from __future__ import annotations

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
HATCHES = ("", "//", "..", "xx", "\\\\", "--", "++", "oo")
SYMBOLS = ("●", "■", "▲", "◆", "▼", "✚", "✖", "★")

GOOD = "#009E73"
BAD = "#D55E00"
QUIET = "#999999"


def nth(values: tuple[str, ...], index: int) -> str:
    """The value for the index-th thing, from the start again when they run out."""
    return values[index % len(values)]
