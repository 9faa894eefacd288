"""Life-lines: which pods were there, under which address, and what became of the clients that talked to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from kubelab.lab.deaths import Death, Moment, death
from kubelab.lab.errors import LabError, TimedOut
from kubelab.lab.pods import Pod, Pods, natural
from kubelab.lab.traffic import Answer, Traffic
from kubelab.lab.waiting import pods_in_words
from kubelab.lab.witnesses import DELETED, Hearing, Witness

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kubelab.lab.probing import Streaming

SETTLE_SECONDS = 120.0
LEAD_ANSWERS = 40
"""How many answers every client gets before and after the experiment. With three pods to choose from, one of them is
left out of 40 picks less than once in a million times, so "who answered" is the same on every run."""

FATES = (
    "answered all along",
    "failed for a while, then answered again",
    "answered at first, then never again",
    "never answered",
    "sometimes answered, sometimes not",
)
"""What may become of a client; "all along" leaves room for one request in a hundred."""


@dataclass
class LifeLine:
    """One pod's life as far as it was watched; times in seconds since the watch began."""

    pod: Pod
    first_seen: float
    last_seen: float
    ready: float | None = None
    terminating: float | None = None
    restarted: list[float] = field(default_factory=list)

    def see(self, pod: Pod, now: float) -> None:
        """Take in one look at the pod."""
        if pod.ready and self.ready is None:
            self.ready = now
        if pod.terminating and self.terminating is None:
            self.terminating = now
        self.restarted += [now] * max(0, pod.restarts - self.pod.restarts)
        self.pod, self.last_seen = pod, now


class PodLifelines:
    """Watches pods while its ``with`` block runs, and is the record of it afterwards.

    At the end of the block it waits until the pods have settled (all ready, none on its way out).
    Raises `TimedOut` when they do not.
    """

    def __init__(
        self,
        look: Callable[[], Pods],
        clients: Mapping[str, Callable[[Callable[[Answer], None]], Streaming]] | None = None,
        every_seconds: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
        witnesses: Callable[[Pods], Iterable[Witness]] = lambda _: (),
    ) -> None:
        self._look = look
        self._witnesses = witnesses
        self._start_client = dict(clients or {})
        self._every = every_seconds
        self._clock = clock
        self._lines: dict[str, LifeLine] = {}
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="kubelab-lifelines", daemon=True)
        self._streams: dict[str, Streaming] = {}
        self._hearing: Hearing | None = None
        self._heard: dict[str, int] = {}
        self._lock = threading.Lock()
        self.before = Pods(())
        self.after = Pods(())
        self.traffic: dict[str, Traffic] = {}
        """What each client got, by the client's name."""
        self.offsets: dict[str, float] = {}
        """When each client began, in seconds since the watch began."""
        self.seconds = 0.0
        self._told: dict[str, list[Moment]] = {}

    def __enter__(self) -> PodLifelines:
        self._zero = self._clock()
        self.before = self._take_in(self._look())
        self._sampler.start()
        try:
            for name, start in self._start_client.items():
                self._heard[name] = 0
                self._streams[name] = start(self._hears(name))
                self.offsets[name] = self._clock() - self._zero
            self._hearing = Hearing(self._witnesses(self.before), self._hear_told)
            self._await_answers(LEAD_ANSWERS)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._settle()
                self._await_answers(LEAD_ANSWERS)
        finally:
            self._end()

    @property
    def lines(self) -> list[LifeLine]:
        """The pods' lives, in the order of their aliases."""
        return sorted(self._lines.values(), key=lambda line: natural(line.pod.alias))

    @property
    def ips_kept(self) -> int:
        """How many of the addresses at the start still belonged to the same pods at the end."""
        before = {(pod.uid, pod.ip) for pod in self.before}
        return len(before & {(pod.uid, pod.ip) for pod in self.after})

    @property
    def deaths(self) -> list[Death]:
        """The ends of pods that witnesses have seen, in the order in which they were asked to go."""
        with self._lock:
            told = {uid: tuple(moments) for uid, moments in self._told.items() if uid in self._lines}
        found = [
            death(self._lines[uid].pod, moments, self.traffic, self.offsets)
            for uid, moments in told.items()
            if any(moment.what == DELETED for moment in moments)
        ]
        return sorted(found, key=lambda each: each.began)

    def failed(self, client: str) -> int:
        """How many of a client's requests failed."""
        return sum(not answer.ok for answer in self.traffic[client].answers)

    @property
    def restarts(self) -> int:
        """How many containers were started anew in a pod that stayed."""
        return sum(len(line.restarted) for line in self._lines.values())

    @property
    def addresses(self) -> str:
        """``3 of 3 pod IPs changed``."""
        return f"{len(self.before) - self.ips_kept} of {len(self.before)} pod IPs changed"

    @property
    def sentence(self) -> str:
        """How many addresses changed, and what became of the clients."""
        parts = [self.addresses]
        if self.restarts:
            parts.append(f"{self.restarts} container{'s' * (self.restarts != 1)} restarted")
        parts += [f"{name}: {self.fate(name)}" for name in sorted(self.traffic)]
        return "; ".join(parts)

    def fate(self, client: str) -> str:
        """What became of a client, in words that are the same on every run: one of `FATES`."""
        answers = [answer.ok for answer in self.traffic[client].answers]
        last = answers[-LEAD_ANSWERS // 2 :]
        if self.traffic[client].success >= 0.99:
            return FATES[0]
        if all(last):
            return FATES[1]
        return FATES[4] if any(last) else FATES[2] if any(answers) else FATES[3]

    def plot(self) -> Figure:
        """A picture: one bar a pod over time, and below it each client's answers and failures."""
        from kubelab.lab.pictures import draw_lifelines

        return draw_lifelines(self)

    def __repr__(self) -> str:
        return f"PodLifelines({self.sentence})"

    def _repr_html_(self) -> str:
        from kubelab.lab.schematic import lifelines_html

        return lifelines_html(self)

    def _take_in(self, pods: Pods) -> Pods:
        now = self._clock() - self._zero
        with self._lock:
            self.seconds = now
            for pod in pods:
                line = self._lines.setdefault(pod.uid, LifeLine(pod, now, now))
                line.see(pod, now)
        return pods

    def _hear_told(self, uid: str, what: str, detail: str) -> None:
        now = self._clock() - self._zero
        with self._lock:
            self._told.setdefault(uid, []).append(Moment(what, now, detail))

    def _sample(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._take_in(self._look())
            except LabError:
                # The API may be away for a moment (a restart of the engine); the next look tells.
                continue

    def _hears(self, name: str) -> Callable[[Answer], None]:
        def hear(_: Answer) -> None:
            self._heard[name] += 1

        return hear

    def _await_answers(self, more: int, timeout_seconds: float = 60) -> None:
        """Wait until every client has got ``more`` further answers, failures included."""
        wanted = {name: heard + more for name, heard in self._heard.items()}
        deadline = self._clock() + timeout_seconds
        while any(self._heard[name] < count for name, count in wanted.items()):
            for stream in self._streams.values():
                if stream.failure is not None:
                    raise stream.failure
            if self._clock() > deadline:
                raise TimedOut(
                    f"A client had no answer, not even an error, for {timeout_seconds:g} s; run the cell again."
                )
            time.sleep(self._every / 4)

    def _settle(self) -> None:
        deadline = self._clock() + SETTLE_SECONDS
        while True:
            pods = self._take_in(self._look())
            if pods and all(pod.ready and not pod.terminating for pod in pods):
                self.after = pods
                return
            if self._clock() > deadline:
                raise TimedOut(
                    f"The pods did not settle within {SETTLE_SECONDS:g} s; last seen: {pods_in_words(pods)}."
                )
            time.sleep(self._every / 2)

    def _end(self) -> None:
        self._stop.set()
        if self._sampler.is_alive():
            self._sampler.join(10)
        try:
            if self._hearing is not None:
                self._hearing.end()
        finally:
            self._end_clients()

    def _end_clients(self) -> None:
        for stream in self._streams.values():
            stream.tell_to_stop()
        for name, stream in self._streams.items():
            self.traffic[name] = stream.stop()
