"""A packet's way, to be walked step by step: through network namespaces, hooks and chains, to its end and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from kubelab.lab import palette
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod
from kubelab.trace import CannotTrace, Followed, Hop, Outcome, Trace
from kubelab.widgets.assets import joined
from kubelab.widgets.walk import table
from kubelab.widgets.walk.places import lay_out
from kubelab.widgets.walk.steps import Step, steps
from kubelab.widgets.walk.svg import draw
from kubelab.widgets.walk.words import fraction

MOST_OUTCOMES = 12
"""Of a packet with more outcomes than this the first ones are shown, and how many there are."""


class PacketWalk(anywidget.AnyWidget):
    """``PacketWalk(lab, "client", "web")``, or of a trace: ``PacketWalk(lab.trace("client", "web", draw=0.5))``.

    Step with the buttons or with ← →, Home and End; space plays and pauses. ``outcome`` and ``step`` (from 0) say where
    it stands and can be set; ``reply`` is True on the way back; ``every_hop`` shows hops that change nothing, too.
    Of a real packet that was followed, ``PacketWalk(lab.follow("client", "web"))``, the outcome that it had is shown,
    and each hop that the kernel has shown, too, gets a ✓.

    Raises `LabError` for a question that cannot be traced.
    """

    _esm = joined("dom.js", "packet_walk.js")
    _css = joined("common.css", "packet_walk.css")
    walk = traitlets.Dict(help="Title, outcomes, their ways and steps.").tag(sync=True)
    outcome = traitlets.Int(0, help="Which outcome is shown, from 0.").tag(sync=True)
    step = traitlets.Int(0, help="Which step of all hops, from 0.").tag(sync=True)
    reply = traitlets.Bool(False, help="Whether the way of the answer is shown.").tag(sync=True)
    every_hop = traitlets.Bool(False, help="Whether hops that change nothing are steps, too.").tag(sync=True)

    def __init__(
        self,
        trace: Trace | Outcome | Followed | Lab,
        source: str | Pod | None = None,
        target: str | Pod | None = None,
        **question: Any,
    ) -> None:
        self._followed = trace if isinstance(trace, Followed) else None
        self._trace = _traced(trace, source, target, question)
        happened = self._followed.closest(self._trace) if self._followed else None
        others = [each for each in self._trace if each is not happened]
        self._shown = ([happened] if happened else []) + others[: MOST_OUTCOMES - bool(happened)]
        self._shown.sort(key=self._trace.outcomes.index)
        self._happened = self._shown.index(happened) if happened else None
        super().__init__(walk=self._told(), outcome=self._happened or 0)

    @traitlets.validate("outcome")
    def _one_of_them(self, proposal: Any) -> int:
        if not 0 <= proposal["value"] < len(self._shown):
            raise LabError(f"There are outcomes 0 to {len(self._shown) - 1}, and no {proposal['value']}.")
        return int(proposal["value"])

    @traitlets.validate("step")
    def _one_on_the_way(self, proposal: Any) -> int:
        return max(0, int(proposal["value"]))

    @property
    def svg(self) -> str:
        """The map of the way that is shown, as a picture of its own."""
        shown, made = self._now()
        title = f"Packet walk: {table.headline(self._trace)}"
        return self._without_port(draw(lay_out(made), made, title, shown.named.reason))

    def text(self) -> str:
        """Outcomes and steps in characters, by names."""
        return self._without_port(table.text(self._trace, *self._now()))

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        picture = self.svg
        html = self._without_port(table.html(self._trace, *self._now(), picture))
        return {**bundle, "text/plain": self.text(), "text/html": html, "image/svg+xml": picture}, metadata

    def _without_port(self, text: str) -> str:
        """Of a packet that was really sent, the port that the client's kernel chose is another on every run."""
        port = self._trace.sent.source_port if self._followed else 0
        return re.sub(rf":{port}\b", "", text) if port else text

    def _now(self) -> tuple[Outcome, list[Step]]:
        shown = self._shown[self.outcome]
        request, answer = self._observed(self.outcome)
        if self.reply:
            shown = shown.reply()[0]
            return shown, steps(shown, answer)
        return shown, steps(shown, request)

    def _observed(self, outcome: int) -> tuple[Sequence[Hop] | None, Sequence[Hop] | None]:
        """What the kernel has shown of the request and of the answer; it says nothing of what did not happen."""
        if self._followed is None or outcome != self._happened:
            return None, None
        return self._followed.hops, self._followed.answer or None

    def _told(self) -> dict[str, Any]:
        left = len(self._trace) - len(self._shown)
        notes = [*self._trace.named.notes]
        if left:
            notes.append(f"{left} more outcomes are not shown; give `draw` to walk one of them.")
        return {
            "title": table.headline(self._trace),
            "outcomes": [self._outcome(at, each) for at, each in enumerate(self._shown)],
            "notes": notes,
        }

    def _outcome(self, at: int, outcome: Outcome) -> dict[str, Any]:
        request, answer = self._observed(at)
        return {
            "chance": fraction(outcome.probability),
            "label": f"{outcome.kind} {'to' if outcome.kind == 'delivered' else 'at'} {outcome.place}",
            "symbol": palette.nth(palette.SYMBOLS, at),
            "colour": palette.nth(palette.COLOURS, at),
            "assumptions": list(outcome.named.assumptions),
            "request": _way(outcome, request),
            **_reply_of(outcome, answer),
        }


def _traced(
    trace: Trace | Outcome | Followed | Lab,
    source: str | Pod | None,
    target: str | Pod | None,
    question: dict[str, Any],
) -> Trace:
    if isinstance(trace, Lab):
        if source is None or target is None:
            raise LabError('Say who sends to whom: PacketWalk(lab, "client", "web").')
        return trace.trace(source, target, **question)
    if source is not None or target is not None or question:
        raise LabError("A trace already says who sends to whom: give PacketWalk the trace alone.")
    if isinstance(trace, Followed):
        if trace.computed is None or not trace.computed.outcomes:
            raise LabError("Nothing was computed beside the packet that was followed: give PacketWalk a trace.")
        return trace.computed
    if isinstance(trace, Outcome):
        return Trace(trace.hops[0].place, trace.sent, (trace,), names=trace.names)
    if not isinstance(trace, Trace):
        raise LabError(f"PacketWalk shows a trace or an outcome of one, not {type(trace).__name__}.")
    return trace


def _way(outcome: Outcome, observed: Sequence[Hop] | None = None) -> dict[str, Any]:
    made = steps(outcome, observed)
    laid = lay_out(made)
    return {
        "svg": draw(laid, made, "Map of the way", outcome.named.reason),
        "steps": [step.to_dict(laid.box_of(at)) for at, step in enumerate(made)],
        "kind": outcome.kind,
        "end": outcome.named.reason,
    }


def _reply_of(outcome: Outcome, observed: Sequence[Hop] | None) -> dict[str, Any]:
    """The way back, or why there is none."""
    try:
        return {"reply": _way(outcome.reply()[0], observed), "no_reply": ""}
    except CannotTrace as error:
        return {"reply": None, "no_reply": str(error)}
