"""What was answered, and by whom.

A `Requests` shows what is the same on every run: Services, status codes, errors. How many requests each of several
Services got is chance; `Requests.follows` sums it up, the numbers are in `counts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any, overload

from kubelab.lab.pods import natural
from kubelab.lab.statistics import FALSE_ALARM, chi_square_p
from kubelab.lab.traffic import Fairness


@dataclass(frozen=True)
class Reply:
    """One request and its answer."""

    url: str
    method: str = "GET"
    code: int | None = None
    """The status of the answer; None when none came."""
    error: str = ""
    """``refused``, ``timeout``, ``DNS``, ``reset``, ``unreachable``, ``not trusted``, ``no TLS``, ``bad answer``."""
    pod: str = ""
    """Who answered, by alias; empty when it was no pod of a lesson."""
    workload: str = ""
    """The pod's Deployment, or other owner."""
    services: tuple[str, ...] = ()
    """The Services with this pod among their endpoints; those of other namespaces than the lab's as ``other/web``."""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Those of the answer, names in lower case."""
    saw: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What the pod says of the request as it arrived there: ``path``, ``host``, ``method``, ``proto``, ``headers``."""
    body: str = ""
    """Of an answer that is not a lesson's server's."""
    verified: bool | None = None
    """Whether the certificate was one that a client of the course CA trusts; None without TLS."""
    why_not: str = ""
    """Why it was not."""
    at: float = field(default=0.0, compare=False)
    """When it was sent, in seconds since the client began."""
    seconds: float = field(default=0.0, compare=False)
    """How long it took, connection included."""

    @property
    def ok(self) -> bool:
        """Whether an answer came and it was not an error of the server's or the proxy's (code below 500)."""
        return self.code is not None and self.code < 500

    @property
    def location(self) -> str:
        """Where a redirect leads; empty for other answers."""
        return self.headers.get("location", "")

    @property
    def service(self) -> str:
        """The Service whose pod answered: the one that is called as the Deployment is, else the first by name."""
        return self.workload if self.workload in self.services else next(iter(self.services), self.workload)

    @property
    def words(self) -> str:
        """``web``, ``404``, ``301 https://shop.example.test/``, ``refused``, ``not trusted: hostname mismatch``."""
        if self.error:
            return f"{self.error}: {self.why_not}" if self.why_not else self.error
        named = (
            (self.service or self.pod) if self.code == 200 else " ".join(filter(None, (self.service, str(self.code))))
        )
        return " ".join(filter(None, (named or str(self.code), self.location)))

    @property
    def _asked(self) -> str:
        return f"{self.method} {self.url}" if self.method != "GET" else self.url

    def __repr__(self) -> str:
        doubt = f", not trusted: {self.why_not}" if self.why_not and not self.error else ""
        return f"Reply({self._asked}: {self.words}{doubt})"


@dataclass(frozen=True)
class Shares:
    """Whether requests were spread by weights, by a chi-square test."""

    weights: Mapping[str, float]
    counts: Mapping[str, int]
    others: int
    """Requests that were answered by none of these."""
    p: float
    """The probability of a spread at least this far from the weights if chance kept to them."""

    def __bool__(self) -> bool:
        return self.p >= FALSE_ALARM and not self.others and sum(self.counts.values()) > 0

    def __repr__(self) -> str:
        total = sum(self.weights.values())
        weights = ", ".join(f"{name} {100 * weight / total:.3g}%" for name, weight in self.weights.items())
        word = "as weighted" if self else "answered by others, too" if self.others else "not as weighted"
        return f"Shares({weights}: {word}; a false alarm once in 1000 runs)"


class Requests(Sequence[Reply]):
    """The replies to some requests, in the order in which they were sent."""

    def __init__(self, replies: Iterable[Reply]) -> None:
        self._replies = tuple(replies)

    @overload
    def __getitem__(self, index: int) -> Reply: ...
    @overload
    def __getitem__(self, index: slice) -> Requests: ...
    def __getitem__(self, index: int | slice) -> Reply | Requests:
        return Requests(self._replies[index]) if isinstance(index, slice) else self._replies[index]

    def __len__(self) -> int:
        return len(self._replies)

    def __iter__(self) -> Iterator[Reply]:
        return iter(self._replies)

    @cached_property
    def by_request(self) -> dict[str, Requests]:
        """The replies of each request: its URL, with the method in front where that is not GET."""
        grouped: dict[str, list[Reply]] = {}
        for reply in self._replies:
            grouped.setdefault(reply._asked, []).append(reply)
        return {asked: Requests(replies) for asked, replies in grouped.items()}

    @property
    def counts(self) -> dict[str, int]:
        """How often each of the `Reply.words` came."""
        counted = Counter(reply.words for reply in self._replies)
        return {words: counted[words] for words in sorted(counted, key=_order)}

    @property
    def pods(self) -> dict[str, int]:
        """How many requests each pod answered, by alias."""
        counted = Counter(reply.pod for reply in self._replies if reply.pod)
        return {pod: counted[pod] for pod in sorted(counted, key=natural)}

    @property
    def words(self) -> str:
        """All that was answered: ``web``, ``canary and web``, ``404``."""
        return " and ".join(self.counts) or "nothing"

    @property
    def success(self) -> float:
        """The share of requests that were answered (see `Reply.ok`), from 0 to 1."""
        return sum(reply.ok for reply in self._replies) / len(self) if self._replies else 0.0

    def share(self, words: str) -> float:
        """The share of the requests that were answered so, from 0 to 1: ``share("canary")``."""
        return self.counts.get(words, 0) / len(self) if self._replies else 0.0

    def follows(self, weights: Mapping[str, float]) -> Shares:
        """Whether the requests were spread by these weights, up to chance: ``follows({"web": 90, "canary": 10})``."""
        counts = {name: self.counts.get(name, 0) for name in weights}
        others = len(self) - sum(counts.values())
        return Shares(dict(weights), counts, others, chi_square_p(list(counts.values()), list(weights.values())))

    def fair(self, pods: int | None = None) -> Fairness:
        """Whether the answers were spread evenly over ``pods`` pods (those that answered, when left out)."""
        counts = list(self.pods.values())
        counts += [0] * ((pods or 0) - len(counts))
        return Fairness(tuple(counts), chi_square_p(counts))

    def __repr__(self) -> str:
        rows = self.by_request.items()
        if len(rows) <= 1:
            return f"Requests({''.join(f'{_times(replies)}{asked}: {replies.words}' for asked, replies in rows)})"
        width = max(len(asked) for asked in self.by_request)
        lines = "".join(f"\n  {asked:{width}}  {_times(replies)}{replies.words}" for asked, replies in rows)
        return f"Requests({lines}\n)"

    def _repr_html_(self) -> str:
        left = "style='text-align: left'"
        listed = ((asked, f"{_times(replies)}{replies.words}") for asked, replies in self.by_request.items())
        rows = "".join(
            f"<tr><td {left}><code>{escape(asked)}</code></td><td {left}>{escape(said)}</td></tr>"
            for asked, said in listed
        )
        head = f"<tr><th {left}>request</th><th {left}>answered by</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _times(replies: Requests) -> str:
    return f"{len(replies)} × " if len(replies) > 1 else ""


def _order(words: str) -> tuple[bool, str]:
    """Services before codes."""
    return words[:1].isdigit(), words
