"""The end of a pod on one axis, pod by pod: what happened to it, who saw it, which requests failed."""

from __future__ import annotations

import io
from typing import Any

import anywidget
import traitlets

from kubelab.lab.deaths import Death
from kubelab.lab.errors import LabError
from kubelab.lab.lifelines import PodLifelines
from kubelab.widgets.assets import joined


class DeathTimeline(anywidget.AnyWidget):
    """``DeathTimeline(record)``: a record of `Lab.watch_pods` that was made with ``service=``, and a pod to choose.

    Raises `LabError` for a record in which no pod's end was seen.
    """

    _esm = joined("dom.js", "death_timeline.js")
    _css = joined("common.css", "death_timeline.css")
    pods = traitlets.List(traitlets.Unicode(), help="Whose end was seen, in the order of their ends.").tag(sync=True)
    chosen = traitlets.Unicode(help="Whose end is shown.").tag(sync=True)
    picture = traitlets.Unicode(help="It as SVG.").tag(sync=True)
    sentence = traitlets.Unicode(help="What came of it.").tag(sync=True)
    rows: traitlets.List[list[str]] = traitlets.List(help="When, what, who saw it.").tag(sync=True)

    def __init__(self, record: PodLifelines) -> None:
        self._deaths = {death.pod: death for death in record.deaths}
        if not self._deaths:
            raise LabError(
                "No pod's end was seen in this record; with lab.watch_pods(…, service=…) as record: lets one be seen."
            )
        super().__init__(pods=list(self._deaths), chosen=next(iter(self._deaths)))
        self._show()
        self.observe(lambda _: self._show(), names="chosen")

    @property
    def death(self) -> Death:
        """The one that is shown."""
        if self.chosen not in self._deaths:
            raise LabError(f"{self.chosen!r} did not come to its end here; choose one of {', '.join(self.pods)}.")
        return self._deaths[self.chosen]

    def __repr__(self) -> str:
        return f"DeathTimeline({self.death!r})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**bundle, "text/plain": repr(self), "text/html": self.death._repr_html_()}, metadata

    def _show(self) -> None:
        death = self.death
        with self.hold_sync():
            self.picture, self.sentence, self.rows = _svg(death), death.sentence, [list(row) for row in death.rows()]


def _svg(death: Death) -> str:
    """The picture as a part of a page: without the head of an XML file, and in the page's own black and white."""
    drawn, figure = io.StringIO(), death.plot()
    figure.axes[0].set_title("", loc="left")  # the sentence stands above the picture
    figure.savefig(drawn, format="svg", transparent=True)
    picture = drawn.getvalue()
    return picture[picture.index("<svg") :].replace("stroke: #000000", "stroke: currentColor")
