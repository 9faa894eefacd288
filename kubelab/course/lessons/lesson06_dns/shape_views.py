"""The record shapes as a picture: a symbol and words beside every colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubelab.course.lessons.lesson06_dns import rows
from kubelab.course.lessons.lesson06_dns.shapes import SERVICES, Shapes
from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SYMBOLS = {
    rows.SERVICES_ADDRESS: ("●", palette.COLOURS[0], "the Service's\naddress"),
    rows.PODS_ADDRESSES: ("▲", palette.COLOURS[2], "the pods'\naddresses"),
    rows.ONE_POD: ("▲", palette.COLOURS[2], "one pod's\naddress"),
    rows.PORT: ("■", palette.COLOURS[0], "a port and the\nService's name"),
    rows.PORTS: ("■", palette.COLOURS[2], "a port and a name\nfor each pod"),
    rows.ALIAS: ("◆", palette.COLOURS[3], "an alias"),
    rows.NAME: ("◆", palette.COLOURS[1], "a name"),
    rows.NO_RECORD: ("○", palette.QUIET, "no record\nof that type"),
    rows.NO_NAME: ("✖", palette.BAD, "no such name"),
}
_ODD = ("★", palette.BAD, "")


def draw(shapes: Shapes) -> Figure:
    """One row a Service, one column a question."""
    import matplotlib.pyplot as plt

    questions = tuple(next(iter(shapes.cells.values())))
    figure, axes = plt.subplots(figsize=(10.5, 0.9 + 0.72 * len(shapes.cells)), layout="constrained")
    for row, answers in enumerate(shapes.cells.values()):
        for column, seen in enumerate(answers.values()):
            _draw_cell(axes, column, row, seen)
    axes.set_xlim(-0.5, len(questions) - 0.5)
    axes.set_ylim(len(shapes.cells) - 0.5, -0.5)
    axes.set_yticks(range(len(shapes.cells)), [f"{name}\n{SERVICES[name]}" for name in shapes.cells])
    axes.set_xticks(range(len(questions)), questions)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    plt.close(figure)
    return figure


def _draw_cell(axes: Axes, column: int, row: int, seen: str | None) -> None:
    from matplotlib.patches import Rectangle

    if seen is None:
        axes.annotate("no address of its own", (column, row), ha="center", va="center", fontsize=8, color=palette.QUIET)
        return
    symbol, colour, words = _SYMBOLS.get(seen, _ODD)
    box = Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, facecolor=f"{colour}28", edgecolor=colour)
    axes.add_patch(box)
    axes.annotate(symbol, (column - 0.38, row), ha="center", va="center", fontsize=11, color=colour)
    axes.annotate(words or seen, (column - 0.28, row), va="center", fontsize=9)
