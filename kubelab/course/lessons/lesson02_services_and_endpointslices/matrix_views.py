"""The matrix as text, as HTML and as a picture: a symbol and words beside every colour."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kubelab.course.lessons.lesson02_services_and_endpointslices import behaviour
from kubelab.course.lessons.lesson02_services_and_endpointslices.faults import FAULTS
from kubelab.course.lessons.lesson02_services_and_endpointslices.matrix import Matrix, Signature
from kubelab.course.lessons.lesson02_services_and_endpointslices.views import Table
from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEFT = "text-align: left"
_COLUMNS = ("the client sees", "DNS answers", "slice: port", "slice: ready")
_SYMBOLS = {
    behaviour.ANSWERED: ("●", palette.GOOD),
    behaviour.STRANGERS: ("◐", palette.COLOURS[1]),
    behaviour.SOME_REFUSED: ("◐", palette.COLOURS[1]),
    behaviour.REFUSED: ("✖", palette.BAD),
    behaviour.TIMEOUT: ("◇", palette.COLOURS[3]),
    behaviour.NO_NAME: ("■", palette.COLOURS[0]),
}
_ODD = ("✖", palette.BAD)
_WIDTHS = (3.6, 1.6, 1.9, 1.5)


def text(matrix: Matrix) -> str:
    """A table of words."""
    rows = tuple((each.fault, f"{_symbol(each)[0]} {each.seen}", *_cells(each)[1:]) for each in matrix.signatures)
    return f"{matrix.sentence}\n{Table(('Service', *_COLUMNS), rows)!r}"


def html(matrix: Matrix) -> str:
    """A table for a notebook, with what was predicted."""
    head = ("Service", "what is the matter", "you said", *_COLUMNS)
    heads = "".join(f"<th style='{_LEFT}'>{escape(word)}</th>" for word in head)
    body = "".join(map(_row, matrix.signatures))
    return (
        f"<div><b>{escape(matrix.sentence)}</b></div>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def draw(matrix: Matrix) -> Figure:
    """One row a fault, one column a symptom; what tells the fault from a healthy Service is filled with colour."""
    import matplotlib.pyplot as plt

    signatures = matrix.signatures
    figure, axes = plt.subplots(figsize=(10.5, 1 + 0.48 * len(signatures)), layout="constrained")
    for row, signature in enumerate(signatures):
        _draw_row(axes, row, signature)
    axes.set_xlim(0, sum(_WIDTHS))
    axes.set_ylim(len(signatures) - 0.5, -0.5)
    axes.set_yticks(range(len(signatures)), [signature.fault for signature in signatures])
    axes.set_xticks([left + width / 2 for left, width in _places()], _COLUMNS)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    plt.close(figure)
    return figure


def _draw_row(axes: Axes, row: int, signature: Signature) -> None:
    from matplotlib.patches import Rectangle

    symbol, colour = _symbol(signature)
    words = (f"{symbol} {signature.seen} · {_duration(signature.seconds)}", *_cells(signature)[1:])
    for (left, width), cell, as_healthy in zip(_places(), words, signature.as_healthy, strict=True):
        face = f"{palette.GOOD if as_healthy else colour}{'18' if as_healthy else '45'}"
        edge = "#BBBBBB" if as_healthy else colour
        box = Rectangle((left + 0.03, row - 0.42), width - 0.06, 0.84, facecolor=face, edgecolor=edge)
        axes.add_patch(box)
        axes.annotate(cell, (left + 0.12, row), va="center", fontsize=9.5)


def _places() -> list[tuple[float, float]]:
    """(left edge, width) of each column."""
    return [(sum(_WIDTHS[:index]), width) for index, width in enumerate(_WIDTHS)]


def _row(signature: Signature) -> str:
    symbol, colour = _symbol(signature)
    said = f"{'✔' if signature.agrees else '✖'} {signature.predicted}"
    seen = f"<span aria-hidden='true' style='color: {colour}'>{symbol}</span> <b>{escape(signature.seen)}</b>"
    words = [escape(cell) for cell in (signature.fault, FAULTS[signature.fault].words, said)]
    cells = "".join(f"<td style='{_LEFT}'>{cell}</td>" for cell in (*words, seen, *map(escape, _cells(signature)[1:])))
    return f"<tr>{cells}</tr>"


def _cells(signature: Signature) -> tuple[str, ...]:
    """The four columns in words."""
    return signature.seen, signature.dns, signature.port, signature.ready


def _symbol(signature: Signature) -> tuple[str, str]:
    return _SYMBOLS.get(signature.seen, _ODD)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
