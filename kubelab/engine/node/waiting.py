"""Why a container does not run, and for how long: for its image, its configuration, and after a run that failed.

The reasons and the times are kubelet's; `kubectl get pods` shows the reason as the pod's STATUS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from kubelab.engine.client import ApiError
from kubelab.engine.node.backoff import BackOff, go_duration
from kubelab.engine.node.clock import first
from kubelab.engine.node.host import Host
from kubelab.engine.node.preparation import CannotStart, Prepared, prepare, told_of
from kubelab.engine.node.records import ContainerRecord
from kubelab.engine.node.status import PodRecord
from kubelab.engine.node.volumes import Volumes

CONFIG_RETRY_SECONDS = 10.0
ERROR_SHOWN_SECONDS = 2.0
"""How long the error itself can be seen before the back-off from it."""


class Tell(Protocol):
    """Writes an Event about the container."""

    def __call__(self, reason: str, message: str, *, warning: bool = False) -> None: ...


class Waiting:
    """What a container does between its runs. Every wait ends early when it is told to stop or gets another image."""

    def __init__(
        self,
        host: Host,
        pod: PodRecord,
        record: ContainerRecord,
        volumes: Volumes,
        tell: Tell,
        publish: Callable[[], None],
        stopping: asyncio.Event,
    ) -> None:
        self._host = host
        self._pod = pod
        self._record = record
        self._volumes = volumes
        self._tell = tell
        self._publish = publish
        self._stopping = stopping
        self._restarts = BackOff()
        self._pulls = BackOff(first_is_free=False)
        self.source_changed = asyncio.Event()
        """Set when a ConfigMap or Secret that its environment waits for may be there."""
        self.image_changed = asyncio.Event()
        """Set when its spec names another image."""

    async def until_prepared(self) -> Prepared | None:
        """Everything resolved, however long that takes; None when told to stop meanwhile."""
        while not self._stopping.is_set():
            self.source_changed.clear()
            self.image_changed.clear()
            try:
                return await prepare(self._host, self._pod, self._record.spec, self._volumes)
            except CannotStart as error:
                await self._for_what_it_lacks(error)
            except (ApiError, OSError) as error:
                await self._for_what_it_lacks(CannotStart("CreateContainerConfigError", str(error)))
        return None

    async def before_restart(self) -> None:
        """The back-off that a restart has to wait for; a start that failed is shown first."""
        failed = self._record.state.get("terminated") or {}
        seconds = self._restarts.next(self._host.clock.passed())
        if failed.get("reason") == "StartError":
            self._show("RunContainerError", failed.get("message", ""))
            await self._wait(ERROR_SHOWN_SECONDS)
            seconds -= ERROR_SHOWN_SECONDS
        if seconds <= 0 or self._stopping.is_set():
            return
        name, pod = self._record.name, self._pod.full_name
        self._tell("BackOff", f"Back-off restarting failed container {name} in pod {pod}", warning=True)
        back_off = go_duration(self._restarts.last_seconds)
        self._show("CrashLoopBackOff", f"back-off {back_off} restarting failed container={name} pod={pod}")
        await self._wait(seconds)

    async def _for_what_it_lacks(self, error: CannotStart) -> None:
        image = self._record.spec.get("image", "")
        for kind, message in told_of(error, image):
            self._tell(kind, message, warning=kind != "Pulling")
        self._show(error.reason, str(error))
        if error.reason != "ErrImagePull":
            await self._wait(CONFIG_RETRY_SECONDS, self.source_changed)
            return
        seconds = self._pulls.next(self._host.clock.passed())
        if await self._wait(ERROR_SHOWN_SECONDS):
            self._tell("BackOff", f'Back-off pulling image "{image}"')
            self._tell("Failed", "Error: ImagePullBackOff", warning=True)
            self._show("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
            await self._wait(seconds - ERROR_SHOWN_SECONDS)

    def _show(self, reason: str, message: str) -> None:
        self._record.waiting(reason, message)
        self._publish()

    async def _wait(self, seconds: float, *more: asyncio.Event) -> bool:
        """Wait that long, or until something happens that makes waiting pointless; whether it was that long."""
        events = [self._stopping, self.image_changed, *more]
        await first(self._host.clock.sleep(seconds), *(event.wait() for event in events))
        return not any(event.is_set() for event in events)
