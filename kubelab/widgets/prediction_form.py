"""Many small predictions on one page: a click each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import anywidget
import traitlets

from kubelab.lab.errors import LabError
from kubelab.widgets.assets import joined

_LEFT = "style='text-align: left'"


class Asked(NamedTuple):
    """One thing to be predicted."""

    id: str
    cells: tuple[str, ...]
    """What it is about, column by column."""
    options: tuple[str, ...]


class PredictionForm(anywidget.AnyWidget):
    """``PredictionForm(rows, heads, chosen, write)``: rows to be predicted by a click; each click is written down.

    ``rows``: of an id, the words of its cells, and the options. ``heads`` stand above the cells. ``chosen`` (id →
    option) is marked at first, and written down too. ``write(id, option)`` keeps a prediction (`kubelab.predict`).
    Raises `LabError` for a row without a choice.
    """

    _esm = joined("dom.js", "prediction_form.js")
    _css = joined("common.css", "prediction_form.css")
    heads: traitlets.List[Any] = traitlets.List(help="What stands above the columns.").tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List(help="id, cells and options of each row.").tag(sync=True)
    chosen: traitlets.Dict[str, str] = traitlets.Dict(help="id → what is predicted.").tag(sync=True)
    problem = traitlets.Unicode(help="Why a choice was not kept.").tag(sync=True)

    def __init__(
        self,
        rows: Iterable[tuple[str, Sequence[str], Sequence[str]]],
        heads: Sequence[str],
        chosen: Mapping[str, str],
        write: Callable[[str, str], object],
    ) -> None:
        self._asked = [Asked(id_, tuple(cells), tuple(options)) for id_, cells, options in rows]
        self._write = write
        for asked in self._asked:
            if chosen.get(asked.id) not in asked.options:
                raise LabError(f"{asked.id} needs one of {', '.join(map(repr, asked.options))} to begin with.")
            write(asked.id, chosen[asked.id])
        listed = [{"id": each.id, "cells": list(each.cells), "options": list(each.options)} for each in self._asked]
        super().__init__(heads=list(heads), rows=listed, chosen={each.id: chosen[each.id] for each in self._asked})
        self.observe(self._chosen_anew, names="chosen")

    def _chosen_anew(self, change: Any) -> None:
        """A click: what goes wrong is shown in the widget, there is nobody else to tell."""
        try:
            for id_, value in change["new"].items():
                if value != change["old"].get(id_):
                    self._write(id_, value)
            self.problem = ""
        except LabError as error:
            self.problem = str(error)

    def __repr__(self) -> str:
        lines = [[*self.heads, "prediction"], *([*each.cells, self.chosen[each.id]] for each in self._asked)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**bundle, "text/plain": repr(self), "text/html": self._html()}, metadata

    def _html(self) -> str:
        """What stands without a browser's script: the table, and what is predicted."""
        heads = "".join(f"<th scope='col' {_LEFT}>{escape(head)}</th>" for head in (*self.heads, "prediction"))
        rows = "".join(
            "<tr>"
            + "".join(f"<td {_LEFT}>{escape(cell)}</td>" for cell in each.cells)
            + f"<td {_LEFT}><b>{escape(self.chosen[each.id])}</b> of {escape(', '.join(each.options))}</td></tr>"
            for each in self._asked
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
