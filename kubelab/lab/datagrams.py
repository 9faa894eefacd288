"""UDP clients beside each other: one that keeps its source port, one with a fresh port for every datagram.

UDP has no connections, but the kernel's memory (conntrack) makes one of every pair of ends. So the source port decides
whether a datagram is a new one for kube-proxy's rules, or belongs to a flow whose pod was picked long ago.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Any

from kubelab.lab.errors import LabError, TimedOut
from kubelab.lab.shell import Client, start_client

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kubelab.lab.lab import Lab
    from kubelab.lab.pods import Pod

PROGRAM = "datagram_program.py"
CLIENTS = {"fixed": "one port", "fresh": "fresh ports"}
"""The kinds of client, and how they are called."""
LEAD = 12
"""How many datagrams every client sends, and hears of, before and after what happens in the block."""
LIMIT_SECONDS = 600.0
GAP_BOUNDS = (2, 5, 30)
"""Gaps are told as shorter than one of these (seconds), because every run has its own."""
NOTICED_SECONDS = 0.5
"""Losses shorter than this are no gap: one datagram lost by a busy machine."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """What became of one datagram; times in seconds since the record began."""

    client: str
    """``fixed`` or ``fresh``."""
    at: float
    seconds: float
    error: str
    """Empty when it was answered; else ``silence``, ``refused`` or ``unreachable`` (both by ICMP)."""
    pod: str = ""
    """Who answered, by alias."""
    uid: str = ""
    peer: str = ""
    """The client as the server saw it."""
    peer_port: int = 0

    @property
    def ok(self) -> bool:
        """Whether it was answered."""
        return not self.error


class Datagrams:
    """Records what UDP clients get while its ``with`` block runs; see `Lab.datagrams`.

    Raises `LabError` when the client cannot run, `TimedOut` when it says nothing.
    """

    def __init__(
        self,
        target: str,
        kinds: Sequence[str],
        start: Callable[[], Client],
        alias: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.kinds = tuple(kinds)
        self.events: list[tuple[str, float]] = []
        """What happened, and when."""
        self._start = start
        self._alias = alias
        self._clock = clock
        self._zero = clock()
        self._all: list[Datagram] = []
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="kubelab-datagrams", daemon=True)

    def __enter__(self) -> Datagrams:
        self._client = self._start()
        self._thread.start()
        try:
            self.hear(LEAD)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.hear(LEAD)
        finally:
            self._stop()

    @property
    def now(self) -> float:
        """Seconds since the record began."""
        return self._clock() - self._zero

    def mark(self, event: str) -> float:
        """Note that something happens now: a line in the picture. Returns when that is."""
        self.events.append((event, self.now))
        return self.events[-1][1]

    def of(self, kind: str) -> list[Datagram]:
        """What one client sent, in that order."""
        with self._changed:
            return sorted((each for each in self._all if each.client == kind), key=lambda each: each.at)

    def hear(self, more: int = LEAD, timeout: float = 60) -> None:
        """Wait until ``more`` datagrams that every client sends from now on have been answered, or given up."""
        since = self.now
        self._until(lambda: all(self._sent_since(kind, since) >= more for kind in self.kinds), timeout)

    def answers(self, kind: str, than: str, timeout: float) -> Datagram | None:
        """The client's first answer from a pod with another UID ``than`` this, waited for; None when none comes."""

        def look() -> Datagram | None:
            others = (each for each in self._all if each.client == kind and each.ok and each.uid != than)
            began = next((each.at for each in reversed(self._all) if each.uid == than and each.client == kind), 0.0)
            return next((each for each in others if each.at > began), None)

        try:
            self._until(lambda: look() is not None, timeout)
        except TimedOut:
            return None
        with self._changed:
            return look()

    def server(self, kind: str = "fixed", timeout: float = 10) -> str:
        """The pod that answered this client last, by alias; a first answer is waited for. Raises `LabError`."""
        with contextlib.suppress(TimedOut):
            self._until(lambda: any(each.client == kind and each.ok for each in self._all), timeout)
        for each in reversed(self.of(kind)):
            if each.ok:
                return each.pod
        raise LabError(f"Nobody has answered the client with {CLIENTS[kind]} yet.")

    def pods(self, kind: str) -> list[str]:
        """The pods that answered a client, in the order in which they first did."""
        return list(dict.fromkeys(each.pod for each in self.of(kind) if each.ok))

    def ports(self, kind: str) -> int:
        """From how many source ports a client was seen by those who answered."""
        return len({each.peer_port for each in self.of(kind) if each.ok})

    def gap(self, kind: str) -> float:
        """The longest time (seconds) from one answered datagram to the next; infinite when the last ones were lost."""
        sent = self.of(kind)
        good = [each.at for each in sent if each.ok]
        if not good or sent[-1].at - good[-1] > NOTICED_SECONDS:
            return float("inf")
        return max((later - earlier for earlier, later in pairwise(good)), default=0.0)

    def fate(self, kind: str) -> str:
        """What became of a client, in words that are the same on every run."""
        gap = self.gap(kind)
        if not self.pods(kind):
            return "never answered"
        if gap == float("inf"):
            return "answered at first, then never again"
        if gap < NOTICED_SECONDS:
            return "no gap to speak of"
        bound = next((f"less than {bound} s" for bound in GAP_BOUNDS if gap < bound), "half a minute or more")
        return f"silent for {bound}, then answered again"

    @property
    def sentence(self) -> str:
        """How many pods answered each client, and whether there was a longer gap than five seconds."""
        return "; ".join(f"{CLIENTS[kind]}: {self._short(kind)}" for kind in self.kinds)

    def _short(self, kind: str) -> str:
        pods, gap = len(self.pods(kind)), self.gap(kind)
        if not pods:
            return "never answered"
        held = "not answered in the end" if gap == float("inf") else f"no gap of {'5' if gap < 5 else '60'} s"
        return f"{'one pod' if pods == 1 else 'more than one pod'}, {held}"

    def plot(self) -> Figure:
        """A picture: every datagram on a line for each client and pod, with what happened marked."""
        from kubelab.lab.datagram_pictures import draw_datagrams

        return draw_datagrams(self)

    def __repr__(self) -> str:
        return f"Datagrams({self.sentence})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align: left'>{CLIENTS[kind]}</td>"
            f"<td style='text-align: left'>{escape(self._short(kind))}</td></tr>"
            for kind in self.kinds
        )
        head = "".join(f"<th style='text-align: left'>{word}</th>" for word in ("client", "what it got"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _sent_since(self, kind: str, since: float) -> int:
        return sum(each.client == kind and each.at >= since for each in self._all)

    def _until(self, holds: Callable[[], bool], timeout: float) -> None:
        with self._changed:
            done = self._changed.wait_for(lambda: self._failure is not None or self._ended or holds(), timeout)
            if self._failure is not None:
                raise self._failure
            if not done or not holds():
                raise TimedOut(f"The UDP client has not heard enough within {timeout:g} s; run the cell again.")

    def _stop(self) -> None:
        if not self._ended:
            self._client.stop()
        self._thread.join(30)

    def _began(self) -> None:
        # The client's clock starts when it says so; what it sends from then on is timed by ours.
        self._zero = self._clock()

    def _listen(self) -> None:
        try:
            for line in self._client.results(LIMIT_SECONDS, began=self._began):
                heard = datagram(line, self._alias)
                with self._changed:
                    self._all.append(heard)
                    self._changed.notify_all()
        except Exception as error:  # told by `hear`: there is nobody to catch it in this thread
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


def datagram(line: dict[str, Any], alias: Callable[[str], str]) -> Datagram:
    """A line of the client program."""
    pod = line.get("pod") or ""
    return Datagram(
        line["client"], line["at"], line["seconds"], line["error"], alias(pod) if pod else "",
        line.get("uid") or "", line.get("peer") or "", line.get("peer_port") or 0,
    )  # fmt: skip


def datagrams(
    lab: Lab, target: str, clients: Iterable[str], source: str | Pod | None, rate: float, timeout: float
) -> Datagrams:
    """What `Lab.datagrams` says."""
    kinds = tuple(clients)
    unknown = [kind for kind in kinds if kind not in CLIENTS]
    if unknown or not kinds:
        raise LabError(f"The clients are 'fixed' and 'fresh', not {', '.join(map(repr, unknown)) or 'none'}.")
    host, _, port = target.partition(":")
    if not port.isdigit():
        raise LabError(f"Where to send datagrams is written with a port, for example '{host}:5300', not {target!r}.")
    pod = lab.find_pod(host)
    job = {"host": pod.ip if pod else host, "port": int(port), "clients": kinds, "rate": rate, "timeout": timeout}
    known: dict[str, str] = {}

    def alias(name: str) -> str:
        if name not in known:
            if lab.aliases.of_name(name) is None:
                lab.pods()
            known[name] = lab.aliases.of_name(name) or name
        return known[name]

    def start() -> Client:
        return start_client(lab.api, lab.namespace, lab.client_name(source), job, PROGRAM)

    return Datagrams(target, kinds, start, alias)
