"""Requests in a grid of hosts and paths: predicted, answered, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import anywidget
import traitlets

from kubelab.clusters.base import ClusterError
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Cell, Matrix, Place, Reply, grid, listed, measure, predictions
from kubelab.lab.requests import matrix_forms as forms
from kubelab.widgets.assets import joined

BODY_LETTERS = 160
"""How much of an answer is shown that no pod of a lesson has given."""


class RequestMatrix(anywidget.AnyWidget):
    """``RequestMatrix(lab, hosts, paths, schemes=("http", "https"))``: real requests, who answered them, and why.

    Paths are rows, hosts and schemes columns; or ``urls`` are rows: a list, or label → URL. ``predicted``: whose answer
    is expected, a Service's name or a status code, by URL, ``"HOST/PATH"``, path or label. A click on a cell, or Enter,
    shows the rule that was taken and why no other was, computed from the objects, and what came back. ``via``: another
    way in (``"gateway/edge"``); ``verify``: a certificate that is not trusted ends the request.

    What is not answered as the objects ask for is asked again for up to 3 s: a change needs a moment to be served.
    `ask` sends all anew, as the button does; `matrix` holds the cells. Raises `LabError`.
    """

    _esm = joined("dom.js", "request_matrix.js")
    _css = joined("common.css", "request_matrix.css")
    columns: traitlets.List[Any] = traitlets.List(help="What stands above the columns.").tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List(help="What stands before the rows.").tag(sync=True)
    cells: traitlets.List[Any] = traitlets.List(help="Row by row; null where there is no request.").tag(sync=True)
    sentence = traitlets.Unicode(help="How many came as predicted.").tag(sync=True)
    again = traitlets.Int(0, help="Counted up by the button: ask again.").tag(sync=True)
    busy = traitlets.Bool(False, help="Whether requests are under way.").tag(sync=True)
    problem = traitlets.Unicode(help="Why nothing could be asked.").tag(sync=True)

    def __init__(
        self,
        lab: Lab,
        hosts: Iterable[str] = (),
        paths: Iterable[str] = ("/",),
        schemes: Iterable[str] = ("http",),
        *,
        urls: Mapping[str, str] | Iterable[str] = (),
        predicted: Mapping[str, str | int] | None = None,
        via: str = "",
        verify: bool = False,
    ) -> None:
        self._lab = lab
        self._grid = listed(urls) or grid(tuple(hosts), tuple(paths), schemes)
        if not self._grid:
            raise LabError("There is nothing to ask for; give hosts and paths, or urls=[…].")
        self._predicted = predictions(self._grid, predicted or {})
        self._via, self._verify = via, verify
        super().__init__()
        self.matrix: Matrix
        self.ask()
        self.observe(self._asked_again, names="again")

    def ask(self) -> Matrix:
        """Send all requests, now, and show what comes. Raises `LabError`."""
        self.busy = True
        try:
            self.matrix = measure(self._lab, self._grid, self._predicted, via=self._via, verify=self._verify)
        finally:
            self.busy = False
        with self.hold_sync():
            self.columns, self.rows = list(self.matrix.columns), list(self.matrix.rows)
            self.cells = [self._shown(Place(row, column)) for row in self.rows for column in self.columns]
            self.sentence = self.matrix.sentence
        return self.matrix

    def __repr__(self) -> str:
        return forms.text(self.matrix)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**bundle, "text/plain": repr(self), "text/html": forms.html(self.matrix)}, metadata

    def _asked_again(self, _: Any) -> None:
        """The button's way: what goes wrong is shown in the widget, there is nobody else to tell."""
        try:
            self.ask()
            self.problem = ""
        except (LabError, ClusterError) as error:
            self.problem = str(error)

    def _shown(self, place: Place) -> dict[str, Any] | None:
        cell = self.matrix.cells.get(place)
        if cell is None:
            return None
        why, others = forms.reasons(cell)
        return {
            "url": cell.url,
            "words": cell.came,
            "sign": forms.sign(cell),
            "right": cell.right,
            "beside": forms.beside(cell),
            "computed": "" if cell.as_asked else cell.computed,
            "why": why,
            "others": others,
            "answered": [list(pair) for pair in _answered(cell)],
        }


def _answered(cell: Cell) -> Iterable[tuple[str, str]]:
    """What really came back, in rows of a name and what is said."""
    reply = cell.reply
    if reply.error:
        yield "no answer", reply.words
    else:
        yield "answer", " ".join(filter(None, (str(reply.code), reply.location)))
    if reply.verified is not None:
        yield "certificate", "trusted" if reply.verified else f"not trusted: {reply.why_not}"
    if reply.pod:
        services = f", Service {', '.join(reply.services)}" if reply.services else ""
        yield "from", f"pod {reply.pod}{services}"
        yield from _arrived(reply)
    elif reply.body.strip():
        yield "it says", reply.body.strip()[:BODY_LETTERS]


def _arrived(reply: Reply) -> Iterable[tuple[str, str]]:
    """The request as the pod saw it, with what the proxy has added."""
    if "path" not in reply.saw:
        return
    yield "it saw", f"{reply.saw.get('method', '')} {reply.saw['path']} of host {reply.saw.get('host', '')}"
    for name, value in sorted((reply.saw.get("headers") or {}).items()):
        if name.startswith("x-"):
            yield name, str(value)
