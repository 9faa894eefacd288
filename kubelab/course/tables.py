"""Rows of words under a head, as text and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LEFT = "text-align: left"


@dataclass(frozen=True)
class Table:
    """A small table."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        return padded([self.head, *self.rows])

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='{LEFT}'>{escape(cell)}</th>" for cell in self.head)
        rows = ("".join(f"<td style='{LEFT}'>{escape(cell)}</td>" for cell in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def padded(rows: Sequence[Sequence[str]]) -> str:
    """Lines whose columns stand under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
