"""What became of the requests: who answered, how, how fast.

A `Traffic` shows only what is the same on every run. Which pod got how many requests is chance (kube-proxy picks at
random), so it is summed up by `fair`, and drawn by `plot`; the numbers themselves are in `counts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from kubelab.lab import palette
from kubelab.lab.pods import natural
from kubelab.lab.statistics import FALSE_ALARM, chi_square_p

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Answer:
    """One request and what came of it."""

    at: float
    """When it was sent, in seconds since the client began."""
    seconds: float
    """How long it took, name lookup and connection included."""
    code: int | None = None
    error: str = ""
    """``refused``, ``timeout``, ``DNS``, ``reset``, ``unreachable``, ``bad answer``, or nothing."""
    pod: str = ""
    """Who answered, by alias; the real name where the pod is not known, nothing when the answer did not say."""
    uid: str = ""
    host: str = ""
    """The Host header that the server saw."""
    peer: str = ""
    """The client's address as the server saw it; nothing when the answer did not say."""
    peer_port: int = 0

    @property
    def ended(self) -> float:
        """When the answer was there, or the client gave up, in seconds since it began."""
        return self.at + self.seconds

    @property
    def ok(self) -> bool:
        """Whether an answer came and it was not an error of the server's (code below 500)."""
        return self.code is not None and self.code < 500


@dataclass(frozen=True)
class Fairness:
    """Whether requests were spread evenly, by a chi-square test."""

    counts: tuple[int, ...]
    p: float
    """The probability of a spread at least this uneven if all pods were equally likely."""

    @property
    def even(self) -> bool:
        """True unless the spread is one that chance brings about less than once in a thousand times."""
        return self.p >= FALSE_ALARM

    def __bool__(self) -> bool:
        return self.even

    def __repr__(self) -> str:
        word = "even" if self.even else "not even"
        return f"Fairness({word} over {len(self.counts)} pods; a false alarm once in 1000 runs)"


@dataclass(frozen=True)
class Traffic:
    """The requests of one probe."""

    answers: tuple[Answer, ...]
    target: str = ""
    counted: bool = True
    """Whether the number of requests was asked for; a stream's is chance and not shown."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Alias → real name of the pods that answered."""

    @property
    def counts(self) -> dict[str, int]:
        """How many requests each pod answered, by alias."""
        counted = Counter(answer.pod for answer in self.answers if answer.ok and answer.pod)
        return {pod: counted[pod] for pod in sorted(counted, key=natural)}

    @property
    def codes(self) -> dict[int, int]:
        """How often each HTTP status came."""
        return dict(sorted(Counter(answer.code for answer in self.answers if answer.code is not None).items()))

    @property
    def errors(self) -> dict[str, int]:
        """How often a request failed on its way, by kind."""
        return dict(sorted(Counter(answer.error for answer in self.answers if answer.error).items()))

    @property
    def pods(self) -> tuple[str, ...]:
        """Who answered, by alias."""
        return tuple(self.counts)

    @property
    def connections(self) -> int:
        """Over how many connections the answers came: how many ports of the client the servers saw."""
        return len({(a.pod, a.peer, a.peer_port) for a in self.answers if a.ok and a.peer_port})

    @property
    def latencies(self) -> tuple[float, ...]:
        """Seconds, of the requests that were answered, shortest first."""
        return tuple(sorted(answer.seconds for answer in self.answers if answer.ok))

    @property
    def success(self) -> float:
        """The share of requests that were answered, from 0 to 1."""
        return sum(answer.ok for answer in self.answers) / len(self.answers) if self.answers else 0.0

    def fair(self, pods: int | None = None) -> Fairness:
        """Whether the answers were spread evenly over ``pods`` pods (those that answered, when left out)."""
        counts = list(self.counts.values())
        counts += [0] * ((pods or 0) - len(counts))
        return Fairness(tuple(counts), chi_square_p(counts))

    def plot(self) -> Figure:
        """A picture: who answered how often, and how long it took."""
        from kubelab.lab.pictures import draw_traffic

        return draw_traffic(self)

    @property
    def sentence(self) -> str:
        """``60 requests: 100% answered by 3 pods``."""
        head = f"{len(self.answers)} request{'s' * (len(self.answers) != 1)}: " if self.counted else ""
        return head + self._answered() + self._codes() + self._by_whom()

    def __repr__(self) -> str:
        return f"Traffic({self.sentence})"

    def _answered(self) -> str:
        if self.success == 0:
            return "none answered"
        if self.counted:
            # Rounded down: 199 of 200 are 99%, never 100%.
            return f"{int(self.success * 100)}% answered"
        return "at least 99% answered" if self.success >= 0.99 else "only some answered"

    def _codes(self) -> str:
        unusual = [str(code) for code in self.codes if code != 200]
        return f" with {' and '.join(unusual)}" if unusual and len(self.codes) == 1 else ""

    def _by_whom(self) -> str:
        if not self.pods:
            return ""
        return f" by {self.pods[0]}" if len(self.pods) == 1 else f" by {len(self.pods)} pods"

    def _repr_html_(self) -> str:
        chips = "".join(_chip(index, pod) for index, pod in enumerate(self.pods))
        target = f" to <code>{escape(self.target)}</code>" if self.target else ""
        return (
            '<div style="font-family: var(--jp-ui-font-family, sans-serif)">'
            f"<div><b>Requests{target}</b>: {escape(self.sentence)}</div>"
            f'<div style="display: flex; flex-wrap: wrap; gap: 0.3em 1em; margin-top: 0.3em">{chips}</div></div>'
        )


def _chip(index: int, pod: str) -> str:
    colour = palette.nth(palette.COLOURS, index)
    symbol = palette.nth(palette.SYMBOLS, index)
    return f'<span><span aria-hidden="true" style="color: {colour}">{symbol}</span> {escape(pod)}</span>'


def answer(result: dict[str, Any], alias: Mapping[str, str]) -> Answer:
    """An `Answer` from a line of the client program; ``alias`` maps real pod names to aliases."""
    pod = result.get("pod") or ""
    return Answer(
        at=result["at"],
        seconds=result["seconds"],
        code=result.get("code"),
        error=result.get("error", ""),
        pod=alias.get(pod, pod),
        uid=result.get("uid") or "",
        host=result.get("host") or "",
        peer=result.get("peer") or "",
        peer_port=result.get("peer_port") or 0,
    )


def join(parts: Iterable[Traffic]) -> Traffic:
    """Several probes as one."""
    listed = list(parts)
    names = {alias: name for part in listed for alias, name in part.names.items()}
    return Traffic(
        tuple(a for part in listed for a in part.answers), listed[0].target, all(p.counted for p in listed), names
    )
