"""Liveness, readiness and startup probes with kubelet's timing (kubernetes.io: "Probe configuration").

One thing is ours: a container's very first probe is tried again every few milliseconds, for at most a second, while
nobody listens on its port. kubelet's first probe comes at some moment of the first seconds as well, by then the program
is up; here it would always come too early, and cost a whole period.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kubelab.engine.client import Object
from kubelab.engine.node.actions import Failure, Impossible
from kubelab.engine.node.clock import Clock

FIRST_PROBE_SECONDS = 1.0
FIRST_RETRY_SECONDS = 0.01
LONGEST_RETRY_SECONDS = 0.15


@dataclass(frozen=True)
class Timing:
    """A probe's numbers, with the API's defaults."""

    initial_delay: float
    period: float
    timeout: float
    successes: int
    failures: int

    @classmethod
    def of(cls, probe: Object) -> Timing:
        """Out of the probe's fields."""
        return cls(
            probe.get("initialDelaySeconds") or 0,
            probe.get("periodSeconds") or 10,
            probe.get("timeoutSeconds") or 1,
            probe.get("successThreshold") or 1,
            probe.get("failureThreshold") or 3,
        )


@dataclass
class Prober:
    """One probe of one run of a container."""

    kind: str
    """``Liveness``, ``Readiness`` or ``Startup``."""
    probe: Object
    clock: Clock
    attempt: Callable[[Object, float], Awaitable[None]]
    """Does the action within the seconds given; raises `Failure`."""
    changed: Callable[[bool], None]
    """Told when the result is another one: thresholds are met."""
    failed: Callable[[str], None]
    """Told of every failure, with its message."""
    result: bool | None = None

    async def run(self) -> None:
        """Probe until cancelled; a startup probe only until it has succeeded, and any but readiness until it failed."""
        timing = Timing.of(self.probe)
        await self.clock.sleep(timing.initial_delay)
        row, last = 0, None
        begun = self.clock.passed()
        first = True
        while True:
            due = self.clock.passed() + timing.period
            success = await (self._first(timing.timeout, begun) if first else self._once(timing.timeout))
            first = False
            if success is not None:
                row = row + 1 if success == last else 1
                last = success
                if row >= (timing.successes if success else timing.failures) and success != self.result:
                    self.result = success
                    self.changed(success)
                    if (self.kind == "Startup") or (self.kind == "Liveness" and not success):
                        return
            await self.clock.sleep(max(due - self.clock.passed(), 0))

    async def _once(self, timeout: float) -> bool | None:
        """Whether it passes; None when there is no telling."""
        try:
            await self.attempt(self.probe, timeout)
        except Failure as failure:
            return self._told(failure)
        return True

    def _told(self, failure: Failure) -> bool | None:
        if isinstance(failure, Impossible):
            self.failed(f"{self.kind} probe errored and resulted in unknown state: {failure}")
            return None
        self.failed(f"{self.kind} probe failed: {failure}")
        return False

    async def _first(self, timeout: float, begun: float) -> bool | None:
        pause = FIRST_RETRY_SECONDS
        while True:
            try:
                await self.attempt(self.probe, timeout)
                return True
            except Failure as failure:
                late = self.clock.passed() - begun >= FIRST_PROBE_SECONDS
                if late or not failure.refused:
                    return self._told(failure)
            await self.clock.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)
