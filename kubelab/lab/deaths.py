"""The end of a pod on one axis: what happened to it, who saw it, and what became of the requests meanwhile.

Two chains begin when a pod is deleted, and neither waits for the other: on its own node the pod is told to end
(preStop, SIGTERM, SIGKILL), and everywhere else it is taken out of what leads to it (EndpointSlice, then the rules of
every node). See https://kubernetes.io/docs/tutorials/services/pods-and-endpoint-termination-flow/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kubelab.clusters.base import SKIPPED
from kubelab.lab.pods import Pod
from kubelab.lab.rows import padded, table
from kubelab.lab.traffic import Traffic
from kubelab.lab.witnesses import DELETED, ENDED, EXIT_CODE, GONE, RULE_GONE, SIGTERM, TERMINATING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAST_ANSWER = "last request that it answered"
FAILED = "requests failed"
KILLED = 137
"""128 + 9: the exit code of a process that SIGKILL ended."""
SEEN_BY = {
    DELETED: "API",
    TERMINATING: "EndpointSlice",
    RULE_GONE: "the client's node",
    SIGTERM: "its own log",
    LAST_ANSWER: "client",
    FAILED: "client",
    ENDED: "its own log",
    GONE: "API",
}
"""What is shown, and who saw it; of those that come at one moment in this order."""
LEAD_SECONDS, TAIL_SECONDS = 0.5, 0.5
"""How much before and after a pod's end still belongs to it."""


class Moment(NamedTuple):
    """Something that happened to a pod."""

    what: str
    at: float
    """Seconds since the record began."""
    detail: str = ""


@dataclass(frozen=True)
class Death:
    """One pod's end. Times in seconds since it was asked to go, but for ``began``."""

    pod: str
    """By alias."""
    began: float
    """When it was asked to go, in seconds since the record began."""
    when: Mapping[str, float]
    """What happened (see `SEEN_BY`) → when."""
    answered: tuple[float, ...]
    """When the requests were sent that this pod answered."""
    failed: tuple[float, ...]
    """When requests were sent that nobody answered, around this pod's end."""
    exit_code: int | None = None

    @property
    def told_too_early(self) -> bool | None:
        """Whether the process was told to end while rules still led to it; None where that was not seen."""
        if SIGTERM not in self.when or RULE_GONE not in self.when:
            return None
        return self.when[SIGTERM] < self.when[RULE_GONE]

    @property
    def killed(self) -> bool:
        """Whether it was SIGKILL that ended it."""
        return self.exit_code == KILLED

    @property
    def moments(self) -> list[tuple[str, float]]:
        """All that happened, in its order."""
        when = dict(self.when)
        if self.answered:
            when[LAST_ANSWER] = max(self.answered)
        if self.failed:
            when[FAILED] = min(self.failed)
        order = list(SEEN_BY)
        return sorted(when.items(), key=lambda each: (each[1], order.index(each[0])))

    @property
    def sentence(self) -> str:
        """``SIGTERM came after its rule was gone; no request failed; it ended by itself``: the same on every run."""
        early = self.told_too_early
        order = f"{SKIPPED}nobody saw when its rule went; "
        if early is not None:
            order = f"SIGTERM came {'before' if early else 'after'} its rule was gone; "
        how = "it was killed" if self.killed else "it ended by itself"
        return f"{order}{'some requests' if self.failed else 'no request'} failed; {how}"

    def plot(self) -> Figure:
        """A picture: one row for each who saw something, over time."""
        from kubelab.lab.death_pictures import draw_death

        return draw_death(self)

    def rows(self) -> list[tuple[str, str, str]]:
        """When, what, who saw it."""
        return [(f"{at:+.2f} s", self._words(what), SEEN_BY[what]) for what, at in self.moments]

    def __repr__(self) -> str:
        return f"{self.pod}: {self.sentence}\n{padded(self.rows())}"

    def _repr_html_(self) -> str:
        return f"<div><b>{self.pod}</b>: {self.sentence}</div>{table(('when', 'what', 'seen by'), self.rows())}"

    def _words(self, what: str) -> str:
        if what == ENDED and self.exit_code is not None:
            return f"{what}, {'killed (SIGKILL)' if self.killed else f'exit code {self.exit_code}'}"
        if what == FAILED:
            return f"{len(self.failed)} request{'s' * (len(self.failed) != 1)} failed, until {max(self.failed):+.2f} s"
        return what


def death(pod: Pod, moments: Iterable[Moment], traffic: Mapping[str, Traffic], offsets: Mapping[str, float]) -> Death:
    """What was told of a pod, put together with what the clients got.

    A thing may be told more than once, and it is the first time that counts; but a pod that was not ready for a moment
    has lost its rules before, so of those it is the last.
    """
    told: dict[str, Moment] = {}
    for moment in moments:
        if moment.what == RULE_GONE or moment.what not in told:
            told[moment.what] = moment
    began = told[DELETED].at
    when = {what: told[what].at - began for what in SEEN_BY if what in told}
    code = told[EXIT_CODE].detail if EXIT_CODE in told else ""
    answers = [(offsets[name] + answer.at - began, answer) for name, got in traffic.items() for answer in got.answers]
    until = max(when.values()) + TAIL_SECONDS
    return Death(
        pod.alias,
        began,
        when,
        tuple(sorted(at for at, answer in answers if answer.ok and answer.uid == pod.uid)),
        tuple(sorted(at for at, answer in answers if not answer.ok and -LEAD_SECONDS <= at <= until)),
        int(code) if code else None,
    )
