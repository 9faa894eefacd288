"""Whose requests, over time: one client's answers while something happens to the pods that answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING

from kubelab.lab.errors import LabError, TimedOut
from kubelab.lab.pods import Pods
from kubelab.lab.traffic import Answer, Traffic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kubelab.lab.probing import Streaming

START = "at the start"
PATIENCE_SECONDS = 30.0
"""How long a phase waits for pods that are expected to answer (a name server may keep an old answer for a while), and
for a client that reconnects."""
OVERTAKEN = 20
"""Requests that were sent before the client reconnected may be answered after the first of the others."""


@dataclass(frozen=True)
class Phase:
    """What happened after one event and before the next. Times in seconds since the client began."""

    name: str
    began: float
    ended: float
    ready: tuple[str, ...]
    """The pods that were ready at its end, by alias."""
    new: tuple[str, ...]
    """Those of them that were not there at the start."""
    traffic: Traffic

    @property
    def answering(self) -> int:
        """How many pods answered."""
        return len(self.traffic.pods)

    @property
    def new_share(self) -> float:
        """The part of the answers that came from new pods, from 0 to 1."""
        counts = self.traffic.counts
        return sum(counts.get(pod, 0) for pod in self.new) / sum(counts.values()) if counts else 0.0

    @property
    def sentence(self) -> str:
        """``scaled to 6: 2 of 6 pods``."""
        failing = "" if self.traffic.success >= 0.99 else ", and requests failed"
        return f"{self.name}: {self.answering} of {len(self.ready)} pods{failing}"


@dataclass(frozen=True)
class _Mark:
    name: str
    began: float
    ended: float
    settled: float
    """When the next phase began."""


class SharesOverTime:
    """Records one client's answers while its ``with`` block runs, cut into phases by `event`, and is the record of it
    afterwards. Raises what makes the client fail, `TimedOut` when no answers come, not even errors.
    """

    def __init__(
        self,
        target: str,
        look: Callable[[], Pods],
        start: Callable[[Callable[[Answer], None]], Streaming],
        answers_a_phase: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self._look = look
        self._start = start
        self._enough = answers_a_phase
        self._clock = clock
        self._heard: list[Answer] = []
        self._marks: list[_Mark] = []
        self._ready: list[tuple[str, ...]] = []
        self.traffic = Traffic((), target, counted=False)
        """All of it."""

    def __enter__(self) -> SharesOverTime:
        self._stream = self._start(self._heard.append)
        try:
            self._end_phase()
        except BaseException:
            self._stream.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.traffic = self._stream.stop()

    @contextmanager
    def event(self, name: str, answering: int = 0) -> Iterator[None]:
        """``with shares.event("scaled to 6"):`` marks what happens in it; a new phase begins at its end.

        ``answering``: the new phase begins when so many pods have answered since then, or half a minute later.
        """
        began = self._now()
        yield
        ended = self._now()
        self._await_pods(answering)
        self._marks.append(_Mark(name, began, ended, self._now()))
        self._end_phase()

    def reconnect(self) -> None:
        """Make the client give its kept connections up and open new ones; returns when it sends over those."""
        known = {answer.peer_port for answer in self._heard}
        self._stream.reconnect()
        self._await(lambda: any(answer.peer_port not in known for answer in self._heard), PATIENCE_SECONDS)
        heard = len(self._heard)
        self._await(lambda: len(self._heard) >= heard + OVERTAKEN, PATIENCE_SECONDS)

    @property
    def events(self) -> list[tuple[str, float, float]]:
        """Name, begin and end of each event, in seconds since the client began."""
        return [(mark.name, mark.began, mark.ended) for mark in self._marks]

    @property
    def phases(self) -> list[Phase]:
        """The phases, in their order."""
        starts = [(START, -1.0), *((mark.name, mark.settled) for mark in self._marks)]
        ends = [*(mark.began for mark in self._marks), float("inf")]
        first = set(self._ready[0]) if self._ready else set()
        return [
            Phase(
                name, began, ended, ready, tuple(pod for pod in ready if pod not in first), self._between(began, ended)
            )
            for (name, began), ended, ready in zip(starts, ends, self._ready, strict=False)
        ]

    def __getitem__(self, name: str) -> Phase:
        """The phase after the event of this name. Raises `LabError`."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise LabError(f"There is no phase {name!r}; there are {', '.join(phase.name for phase in self.phases)}.")

    @property
    def sentence(self) -> str:
        """``at the start: 2 of 2 pods; scaled to 6: 2 of 6 pods``: how many of the ready pods answered."""
        return "; ".join(phase.sentence for phase in self.phases)

    def plot(self) -> Figure:
        """A picture: each pod's part of the answers over time, stacked, with the events marked."""
        from kubelab.lab.share_pictures import draw_shares

        return draw_shares(self)

    def __repr__(self) -> str:
        return f"SharesOverTime({self.sentence})"

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th scope='col' style='text-align: left'>{word}</th>"
            for word in ("phase", "pods ready", "pods that answered", "new ones among them")
        )
        rows = "".join(_row(phase) for phase in self.phases)
        return (
            '<div style="font-family: var(--jp-ui-font-family, sans-serif)">'
            f"<div><b>Who answered requests to <code>{escape(self.target)}</code></b></div>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _now(self) -> float:
        """The client's own clock, as its newest answer tells it: no other clock has to agree with it."""
        return max((answer.ended for answer in self._heard), default=0.0)

    def _between(self, began: float, ended: float) -> Traffic:
        """Of requests that were sent and answered in between: on a busy machine one that was sent before an event may
        wait for its connection until after it."""
        answers = tuple(each for each in self.traffic.answers if began < each.at and each.ended <= ended)
        return Traffic(answers, self.target, counted=False, names=self.traffic.names)

    def _end_phase(self) -> None:
        """Wait until the phase has its answers, and note who is ready."""
        before, began = len(self._heard), self._now()

        def came() -> int:
            return sum(answer.at > began for answer in self._heard[before:])

        self._await(lambda: came() >= self._enough, 2 * PATIENCE_SECONDS)
        if came() < self._enough:
            raise TimedOut(f"Only {came()} answers came from {self.target}, errors included; run the cell again.")
        self._ready.append(tuple(pod.alias for pod in self._look() if pod.ready and not pod.terminating))

    def _await_pods(self, count: int) -> None:
        since = len(self._heard)
        self._await(lambda: len({answer.pod for answer in self._heard[since:] if answer.ok}) >= count, PATIENCE_SECONDS)

    def _await(self, holds: Callable[[], bool], seconds: float) -> None:
        deadline = self._clock() + seconds
        while not holds() and self._clock() < deadline:
            if self._stream.failure is not None:
                raise self._stream.failure
            time.sleep(0.02)


def _row(phase: Phase) -> str:
    new = len(set(phase.new) & set(phase.traffic.pods))
    cells = "".join(
        f"<td style='text-align: left'>{number}</td>" for number in (len(phase.ready), phase.answering, new)
    )
    return f"<tr><th scope='row' style='text-align: left; font-weight: normal'>{escape(phase.name)}</th>{cells}</tr>"
