"""One informer a resource, shared by all controllers: the API is watched once for each kind of object."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from kubelab.engine.client import Client, Informer, Resource


class SharedInformers:
    """``informers[PODS]`` makes the informer at its first use; one that is asked for while running starts at once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[Resource, Informer] = {}
        self._tasks: dict[Resource, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def __getitem__(self, resource: Resource) -> Informer:
        informer = self._informers.get(resource)
        if informer is None:
            informer = self._informers[resource] = Informer(self._client, resource)
            if self._group is not None:
                self._tasks[resource] = self._group.create_task(informer.run())
        return informer

    def drop(self, resource: Resource) -> None:
        """Stop watching a resource that is not served any more."""
        self._informers.pop(resource, None)
        if task := self._tasks.pop(resource, None):
            task.cancel()

    async def synced(self, resources: Iterable[Resource] | None = None) -> None:
        """Wait until these (by default all that were asked for so far) have read their first list."""
        for resource in list(self._informers if resources is None else resources):
            await self[resource].synced()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for resource, informer in self._informers.items():
                self._tasks[resource] = group.create_task(informer.run())
            group.create_task(asyncio.Event().wait())  # stay, though nobody has asked for anything yet
