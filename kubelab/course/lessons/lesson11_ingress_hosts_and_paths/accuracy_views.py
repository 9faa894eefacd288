"""The rows as text, as HTML and as a picture: a sign beside every colour."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.accuracy import Accuracy, Checked
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.rows import ELSEWHERE
from kubelab.course.tables import LEFT, padded
from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADS = ("row", "rule", "request", "you said", "answered here", "specified", "known to differ")
_WIDTHS = (0.8, 2.5, 1.6, 1.1, 1.2, 1.0, 2.9)
_DIFFERS = palette.COLOURS[1]


def text(accuracy: Accuracy) -> str:
    """A table of words."""
    return f"{accuracy.sentence}\n" + padded([HEADS, *(_cells(each) for each in accuracy.rows)])


def html(accuracy: Accuracy) -> str:
    """A table for a notebook."""
    heads = "".join(f"<th style='{LEFT}'>{escape(word)}</th>" for word in HEADS)
    body = "".join(map(_html_row, accuracy.rows))
    return (
        f"<div><b>{escape(accuracy.sentence)}</b></div>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def draw(accuracy: Accuracy) -> Figure:
    """One line a row; a pale cell is as specified, a coloured one is a surprise or another controller's own way."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10.5, 1 + 0.33 * len(accuracy.rows)), layout="constrained")
    for place, checked in enumerate(accuracy.rows):
        _draw_row(axes, place, checked)
    axes.set_xlim(0, sum(_WIDTHS))
    axes.set_ylim(len(accuracy.rows) - 0.5, -0.5)
    axes.set_xticks([left + 0.06 for left, _ in _places()], HEADS, ha="left")
    axes.set_yticks([])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    plt.close(figure)
    return figure


def _draw_row(axes: Axes, place: int, checked: Checked) -> None:
    from matplotlib.patches import Rectangle

    said = palette.GOOD if checked.as_said else palette.BAD
    here = palette.GOOD if checked.as_specified else palette.BAD
    colours = ("", "", "", said, here, "", _DIFFERS if checked.row.id in ELSEWHERE else "")
    for (left, width), cell, colour in zip(_places(), _cells(checked), colours, strict=True):
        if colour:
            strong = colour != palette.GOOD
            face, edge = f"{colour}{'45' if strong else '18'}", colour if strong else "#BBBBBB"
            box = (left + 0.03, place - 0.42)
            axes.add_patch(Rectangle(box, width - 0.06, 0.84, facecolor=face, edgecolor=edge))
        axes.annotate(cell, (left + 0.08, place), va="center", fontsize=9)


def _places() -> list[tuple[float, float]]:
    """(left edge, width) of each column."""
    return [(sum(_WIDTHS[:index]), width) for index, width in enumerate(_WIDTHS)]


def _cells(checked: Checked) -> tuple[str, ...]:
    row = checked.row
    here = checked.observed if checked.as_specified else f"✖ {checked.observed}"
    said = f"{'✔' if checked.as_said else '✖'} {checked.predicted}"
    return row.id.replace("-", " "), row.rule, row.request, said, here, row.specified, ELSEWHERE.get(row.id, "")


def _html_row(checked: Checked) -> str:
    colours = {3: palette.GOOD if checked.as_said else palette.BAD, 4: "" if checked.as_specified else palette.BAD}
    cells = (
        f"<td style='{LEFT}{f'; color: {colours[place]}' if colours.get(place) else ''}'>{_code(place, cell)}</td>"
        for place, cell in enumerate(_cells(checked))
    )
    return f"<tr>{''.join(cells)}</tr>"


def _code(place: int, cell: str) -> str:
    return f"<code style='background: none'>{escape(cell)}</code>" if place in (1, 2) else escape(cell)
