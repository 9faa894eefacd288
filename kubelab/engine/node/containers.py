"""A pod's containers in the order in which they start and end (kubernetes.io: "Init Containers"; KEP-753: sidecars)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kubelab.engine.client import Object
from kubelab.engine.node.clock import Deadline, first
from kubelab.engine.node.container import Container
from kubelab.engine.node.host import Host
from kubelab.engine.node.records import ContainerRecord, ephemeral_record
from kubelab.engine.node.status import PodRecord
from kubelab.engine.node.volumes import Volumes


class Containers:
    """Of one pod. Call `run` once; `stop` lets it return."""

    def __init__(
        self, host: Host, pod: PodRecord, volumes: Volumes, publish: Callable[[], None], stopping: asyncio.Event
    ) -> None:
        self.by_name: dict[str, Container] = {}
        self._host = host
        self._pod = pod
        self._volumes = volumes
        self._publish = publish
        self._stopping = stopping
        self._deadline: Deadline | None = None
        self._group: asyncio.TaskGroup | None = None
        for each in pod.containers:
            self._add(each)

    def _add(self, record: ContainerRecord) -> Container:
        container = Container(self._host, self._pod, record, self._volumes, self._publish, self.by_name)
        self.by_name[record.name] = container
        return container

    def update(self, spec: Object) -> None:
        """The pod's spec has changed: other images, and what `kubectl debug` adds."""
        for each in [*(spec.get("initContainers") or ()), *spec["containers"]]:
            if each["name"] in self.by_name:
                self.by_name[each["name"]].changed(each)
        for each in spec.get("ephemeralContainers") or ():
            if each["name"] not in self.by_name:
                self._debug(ephemeral_record(self._pod.pod, each, self._host.clock.now()))

    def source_changed(self) -> None:
        """A ConfigMap or Secret of the pod has changed."""
        for container in self.by_name.values():
            container.source_changed()

    def _debug(self, record: ContainerRecord) -> None:
        """An ephemeral container has come; until the pod's own are there, `run` will start it."""
        self._pod.containers.append(record)
        container = self._add(record)
        if self._group is not None and not self._stopping.is_set():
            self._group.create_task(container.run())

    async def run(self) -> None:
        """Init containers one after the other, sidecars among them stay; then the containers proper, all at once."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for each in self._pod.ephemerals:
                if each.exit_code is None:
                    group.create_task(self.by_name[each.name].run())
            for each in self._pod.inits:
                container = self.by_name[each.name]
                if each.sidecar:
                    group.create_task(container.run())
                    await first(container.started.wait(), self._stopping.wait())
                else:
                    await container.run()
                if self._stopping.is_set() or (not each.sidecar and each.exit_code != 0):
                    break
            else:
                await asyncio.gather(*(self.by_name[each.name].run() for each in self._pod.mains))
            self._group = None
            await self._stop_the_others()

    async def stop(self, deadline: Deadline) -> None:
        """Everything at once; but sidecars wait with SIGTERM until it is their turn."""
        self._deadline = deadline
        await asyncio.gather(
            *(self.by_name[each.name].stop(deadline, in_turn=each.sidecar) for each in self._pod.containers)
        )

    async def _stop_the_others(self) -> None:
        """What does not end by itself when the containers proper have: ephemeral ones, then sidecars in turn."""
        grace = self._pod.pod["spec"].get("terminationGracePeriodSeconds", 30)
        deadline = self._deadline or Deadline(self._host.clock, grace)
        await asyncio.gather(*(self.by_name[each.name].stop(deadline) for each in self._pod.ephemerals))
        for each in reversed([each for each in self._pod.inits if each.sidecar]):
            await self.by_name[each.name].stop(deadline)
