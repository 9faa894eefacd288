"""Rows of words under a head, as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LEFT = "style='text-align: left'"


def padded(rows: Sequence[Sequence[str]]) -> str:
    """Lines whose columns stand under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """An HTML table."""
    head = "".join(f"<th {_LEFT}>{escape(word)}</th>" for word in heads)
    body = "".join("<tr>" + "".join(f"<td {_LEFT}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
