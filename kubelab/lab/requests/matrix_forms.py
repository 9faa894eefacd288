"""A matrix of requests as text and as HTML that stands alone. Nothing in it is left to chance, no address is shown."""

from __future__ import annotations

from html import escape

from kubelab.lab import palette
from kubelab.lab.requests.matrix import Cell, Matrix, Place

RIGHT, WRONG = "✔", "✖"
MOST_OTHERS = 8
"""How many of the rules that were not chosen are told."""


def sign(cell: Cell) -> str:
    """✔ or ✖; nothing where nothing was predicted."""
    return {True: RIGHT, False: WRONG, None: ""}[cell.right]


def beside(cell: Cell) -> str:
    """``predicted web``; empty when that is what came, or nothing was predicted."""
    return f"predicted {cell.predicted}" if cell.right is False else ""


def text(matrix: Matrix) -> str:
    """A table of lines."""
    columns = matrix.columns
    head = ["", *columns] if any(columns) else []
    lines = [[row, *(_words(matrix.cells.get(Place(row, column))) for column in columns)] for row in matrix.rows]
    widths = [
        max(len(line[index]) for line in [head or [""] * len(lines[0]), *lines]) for index in range(len(lines[0]))
    ]
    shown = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) for line in lines]
    first = ["  ".join(word.ljust(width) for word, width in zip(head, widths, strict=True))] if head else []
    return "\n".join(line.rstrip() for line in [matrix.sentence, *first, *shown])


def reasons(cell: Cell) -> tuple[str, list[str]]:
    """Why the objects ask for this answer, and why no other rule was taken."""
    if cell.decision is None:
        return "no entrance of the ingress has this port", []
    others = [candidate.words for candidate in cell.decision.others]
    more = len(others) - MOST_OTHERS
    listed = others[:MOST_OTHERS] + ([f"{more} more rules, for other hosts or paths"] if more > 0 else [])
    rule = f"{cell.decision.rule}, " if cell.decision.rule else ""
    return rule + cell.decision.because, listed


def doubt(cell: Cell) -> str:
    """What was wrong with the certificate; empty when nothing was."""
    return f"certificate not trusted: {cell.reply.why_not}" if cell.reply.why_not else ""


def html(matrix: Matrix) -> str:
    """A table whose cells open: why this rule, and why no other."""
    heads = "".join(f"<th scope='col' {_CELL}>{escape(column)}</th>" for column in matrix.columns)
    head = f"<thead><tr><td></td>{heads}</tr></thead>" if any(matrix.columns) else ""
    rows = "".join(
        f"<tr><th scope='row' {_CELL}><code>{escape(row)}</code></th>"
        + "".join(_html_cell(matrix.cells.get(Place(row, column))) for column in matrix.columns)
        + "</tr>"
        for row in matrix.rows
    )
    return (
        "<div style='font-family: var(--jp-ui-font-family, sans-serif)'>"
        f"<div><b>Request matrix</b>, {escape(matrix.sentence)}. Each cell opens and says why.</div>"
        f"<table style='border-collapse: collapse'>{head}<tbody>{rows}</tbody></table></div>"
    )


_CELL = "style='text-align: left; vertical-align: top; padding: 2px 14px 2px 0'"


def _words(cell: Cell | None) -> str:
    if cell is None:
        return ""
    return " ".join(filter(None, (sign(cell), cell.came, f"({beside(cell)})" if beside(cell) else "")))


def _html_cell(cell: Cell | None) -> str:
    if cell is None:
        return "<td></td>"
    why, others = reasons(cell)
    colour = palette.GOOD if cell.right else palette.BAD
    mark = f"<b style='color: {colour}'>{sign(cell)}</b> " if sign(cell) else ""
    said = f"{mark}{escape(cell.came)}" + (f" <small>({escape(beside(cell))})</small>" if beside(cell) else "")
    odd = "" if cell.as_asked else f"<div>The objects ask for {escape(cell.computed)}.</div>"
    listed = "".join(f"<li>{escape(other)}</li>" for other in others)
    more = f"<ul style='margin: 0'>{listed}</ul>" if listed else ""
    tls = f"<div>{escape(doubt(cell))}</div>" if doubt(cell) else ""
    return (
        f"<td {_CELL}><details><summary>{said}</summary><div style='max-width: 28em'>{odd}<div>{escape(why)}</div>"
        f"{more}{tls}</div></details></td>"
    )
