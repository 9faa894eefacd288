"""A running container's probes together: first the startup probe alone, then liveness and readiness."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from kubelab.engine.client import Object
from kubelab.engine.node.actions import Actions
from kubelab.engine.node.clock import Clock
from kubelab.engine.node.probes import Prober

if TYPE_CHECKING:
    from kubelab.engine.node.container import Container


class Health:
    """Of one run of a container."""

    def __init__(self, container: Container, actions: Actions, clock: Clock) -> None:
        self._container = container
        self._spec = container.record.spec
        self._actions = actions
        self._clock = clock

    async def run(self) -> None:
        """Probe until cancelled."""
        startup = self._spec.get("startupProbe")
        if startup and not await self._passes(startup):
            await self._container.failed("Startup", startup.get("terminationGracePeriodSeconds"))
            return
        async with asyncio.TaskGroup() as group:
            readiness, liveness = self._spec.get("readinessProbe"), self._spec.get("livenessProbe")
            if not readiness:
                self._container.record.ready = True
            self._container.has_started()
            if readiness:
                group.create_task(self._prober("Readiness", readiness, self._container.is_ready).run())
            if liveness:
                group.create_task(self._watch(liveness))
            await asyncio.get_running_loop().create_future()

    async def _passes(self, probe: Object) -> bool:
        prober = self._prober("Startup", probe, lambda result: None)
        await prober.run()
        return bool(prober.result)

    async def _watch(self, probe: Object) -> None:
        await self._prober("Liveness", probe, lambda result: None).run()
        if not self._container.is_stopping:
            await self._container.failed("Liveness", probe.get("terminationGracePeriodSeconds"))

    def _prober(self, kind: str, probe: Object, changed: Callable[[bool], None]) -> Prober:
        async def attempt(action: Object, seconds: float) -> None:
            running = self._container.running
            if running is not None:
                await self._actions.run(_action(action), running, seconds)

        def failed(message: str) -> None:
            if kind == "Readiness" or not self._container.is_stopping:
                self._container.event("Unhealthy", message, warning=True)

        return Prober(kind, probe, self._clock, attempt, changed, failed)


def _action(probe: Object) -> Object:
    return {name: probe[name] for name in ("httpGet", "tcpSocket", "exec", "grpc") if name in probe}
