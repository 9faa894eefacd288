"""Handshakes over time: which certificate every new connection got while it was being replaced, and which got none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cryptography import x509

from kubelab.lab.errors import LabError, TimedOut
from kubelab.lab.handshakes import Reader
from kubelab.lab.served import Owner
from kubelab.lab.shell import Client

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAD = 25
"""How many handshakes there are before and after what happens in the block."""
PATIENCE_SECONDS = 60.0
LIMIT_SECONDS = 1800.0
BOUNDS = (5, 60)
"""How long a rotation took is told as within one of these (seconds), because every run has its own time."""


@dataclass(frozen=True, slots=True)
class Shake:
    """One handshake of a record. Times in seconds since the record began."""

    at: float
    seconds: float
    fingerprint: str = ""
    """Which certificate was served; empty when none was."""
    failure: str = ""
    """Why a client is not content: no handshake, or not verified; empty when it is."""

    @property
    def ended(self) -> float:
        """When it was over."""
        return self.at + self.seconds

    @property
    def ok(self) -> bool:
        """Whether there was a handshake and the certificate was verified."""
        return not self.failure


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done meanwhile."""

    name: str
    began: float
    ended: float


class TlsWatch:
    """Records handshakes while its ``with`` block runs, and is the record of it afterwards; see `Lab.watch_tls`.

    Raises `LabError` when the client cannot run, `TimedOut` when it says nothing.
    """

    def __init__(
        self,
        host: str,
        start: Callable[[], Client],
        reader: Reader,
        clock: Callable[[], float] = time.monotonic,
        asked_rate: float = 0.0,
    ) -> None:
        self.host = host
        self.asked_rate = asked_rate
        """Handshakes a second, as they were asked for; `rate` has what came of it."""
        self.events: list[Event] = []
        self._start, self._reader, self._clock = start, reader, clock
        self._zero = clock()
        self._all: list[Shake] = []
        self._leaves: dict[str, x509.Certificate] = {}
        self._owners: dict[str, Owner] = {}
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="kubelab-tls-watch", daemon=True)

    def __enter__(self) -> TlsWatch:
        self._client = self._start()
        self._thread.start()
        try:
            self.hear()
            self._find_owners()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.hear()
        finally:
            self.stop()

    @contextmanager
    def event(self, name: str, timeout: float = PATIENCE_SECONDS) -> Iterator[None]:
        """``with record.event("rotated"):`` marks what is done in it, and goes on when another certificate is served.

        ``timeout``: seconds to wait for that; then it goes on all the same, for a change that is to have no effect.
        """
        before = self.last
        began = self.now
        yield
        self.events.append(Event(name, began, self.now))
        self._wait(lambda: self._last() not in ("", before), timeout)
        self.hear()
        self._find_owners()

    @property
    def now(self) -> float:
        """Seconds since the record began."""
        return self._clock() - self._zero

    @property
    def handshakes(self) -> list[Shake]:
        """All of them, in the order in which they began."""
        with self._changed:
            return sorted(self._all, key=lambda each: each.at)

    @property
    def failures(self) -> list[Shake]:
        """Those that failed: no handshake, or a certificate that was not verified."""
        return [each for each in self.handshakes if not each.ok]

    @property
    def failed(self) -> int:
        """How many failed."""
        return len(self.failures)

    @property
    def rate(self) -> float:
        """Handshakes a second, as they really were."""
        shaken = self.handshakes
        span = shaken[-1].at - shaken[0].at if shaken else 0.0
        return (len(shaken) - 1) / span if span > 0 else 0.0

    @property
    def certificates(self) -> tuple[str, ...]:
        """The fingerprints of the certificates that were served, in the order in which they first were."""
        return tuple(dict.fromkeys(each.fingerprint for each in self.handshakes if each.fingerprint))

    @property
    def last(self) -> str:
        """The fingerprint of the certificate that the newest handshake got."""
        with self._changed:
            return self._last()

    def leaf(self, fingerprint: str) -> x509.Certificate:
        """A certificate that was served."""
        return self._leaves[fingerprint]

    def owner(self, fingerprint: str) -> Owner:
        """Whose it is: while the block runs as it was when first asked, afterwards as it was at the end."""
        if fingerprint not in self._owners:
            self._owners[fingerprint] = self._reader.owner(self._leaves[fingerprint])
        return self._owners[fingerprint]

    def took(self, event: str = "") -> float:
        """Seconds from the end of an event (the last one) until no handshake got the certificate from before any more.

        Infinite when no other was served afterwards. Raises `LabError` when there is no such event.
        """
        found = [each for each in self.events if event in ("", each.name)]
        if not found:
            there = ", ".join(each.name for each in self.events) or "none"
            raise LabError(f"There is no event {event!r} in this record; there are: {there}.")
        shaken = [each for each in self.handshakes if each.fingerprint]
        old = next((each.fingerprint for each in reversed(shaken) if each.ended < found[-1].began), "")
        until = next((each.began for each in self.events if each.began > found[-1].ended), float("inf"))
        after = [each for each in shaken if found[-1].ended <= each.at < until]
        if not any(each.fingerprint != old for each in after):
            return float("inf")
        stale = [each.at for each in after if each.fingerprint == old]
        return max(stale) - found[-1].ended if stale else 0.0

    @property
    def sentence(self) -> str:
        """``Secret shop-tls, 1st issue, then 2nd issue, within 5 s; no handshake failed``."""
        served = [self.owner(each) for each in self.certificates]
        parts = [owner.name for owner in served[:1]]
        parts += [f"then {_shorter(before, owner)}" for before, owner in pairwise(served)]
        return f"{', '.join(parts) or 'no certificate'}{self._how_fast()}; {self._fate()}"

    def _how_fast(self) -> str:
        times = [took for each in self.events if (took := self.took(each.name)) != float("inf")]
        if not times:
            return ""
        bound = next((each for each in BOUNDS if max(times) < each), None)
        return f", within {bound} s" if bound else f", after more than {BOUNDS[-1]} s"

    def _fate(self) -> str:
        failures = self.failures
        if not failures:
            return "no handshake failed"
        how_many = "every" if len(failures) == len(self.handshakes) else "some"
        why = ", ".join(sorted({each.failure for each in failures}))
        return f"{how_many} handshake{'s' * (how_many == 'some')} failed: {why}"

    def plot(self) -> Figure:
        """A picture: every handshake on the line of the certificate that it got, with failures and events marked."""
        from kubelab.lab.tls_pictures import draw_watch

        return draw_watch(self)

    def __repr__(self) -> str:
        return f"TlsWatch({self.host}: {self.sentence})"

    def _repr_html_(self) -> str:
        from kubelab.lab.tls_pictures import watch_html

        return watch_html(self)

    def hear(self, more: int = LEAD, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait for ``more`` handshakes that begin from now on. Raises `TimedOut`."""
        since = self.now
        if not self._wait(lambda: sum(each.at >= since for each in self._all) >= more, timeout):
            raise TimedOut(f"Fewer than {more} handshakes came to an end within {timeout:g} s; run the cell again.")

    def stop(self) -> None:
        """End the client, and find out whose the certificates were. Raises what made the client fail."""
        if not self._ended:
            self._client.stop()
        self._thread.join(30)
        if self._failure is not None:
            raise self._failure
        for each, leaf in self._leaves.items():
            before, now = self.owner(each), self._reader.owner(leaf)
            # Of a certificate that is not the course's nobody knows any more where it was, once it is replaced.
            self._owners[each] = replace(before, now=False) if before.secret and not now.secret else now

    def _find_owners(self) -> None:
        """While the certificates are still where they are served from."""
        for each in self.certificates:
            self.owner(each)

    def _last(self) -> str:
        return next((each.fingerprint for each in reversed(self._all) if each.fingerprint), "")

    def _wait(self, holds: Callable[[], bool], timeout: float) -> bool:
        with self._changed:
            done = self._changed.wait_for(lambda: self._failure is not None or self._ended or holds(), timeout)
            if self._failure is not None:
                raise self._failure
            return done and holds()

    def _began(self) -> None:
        # The client's clock starts when it says so; what it does from then on is timed by ours.
        self._zero = self._clock()

    def _listen(self) -> None:
        try:
            for line in self._client.results(LIMIT_SECONDS, began=self._began):
                self._take_in(line)
        except Exception as error:  # told by `hear` and `stop`: there is nobody to catch it in this thread
            self._failure = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _take_in(self, line: dict[str, Any]) -> None:
        chain = self._reader.chain(line)
        failure = line.get("error") or self._reader.why_not(line)
        with self._changed:
            if chain:
                self._leaves.setdefault(line["fingerprint"], chain[0])
            self._all.append(Shake(line["at"], line["seconds"], line.get("fingerprint", ""), failure))
            self._changed.notify_all()


def _shorter(before: Owner, owner: Owner) -> str:
    """Of the same Secret only the number, if it has one."""
    if before.name == owner.name:
        return f"another certificate in {owner.name}" if owner.secret else f"another: {owner.name}"
    return owner.name.removeprefix(f"Secret {owner.secret}, ") if before.secret == owner.secret else owner.name
