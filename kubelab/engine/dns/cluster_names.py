"""The snapshot that questions are answered from, kept true by list and watch."""

from __future__ import annotations

import asyncio

from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import ENDPOINTSLICES, NAMESPACES, SERVICES
from kubelab.engine.dns.snapshot import Snapshot


class ClusterNames:
    """Reads the objects anew at the first question after a change."""

    def __init__(self, client: Client) -> None:
        self._namespaces = Informer(client, NAMESPACES)
        self._services = Informer(client, SERVICES)
        self._slices = Informer(client, ENDPOINTSLICES)
        self._informers = (self._namespaces, self._services, self._slices)
        self._current: Snapshot | None = None
        for informer in self._informers:
            informer.listen(self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._current = None

    @property
    def ready(self) -> bool:
        """Whether every list has been read once."""
        return all(informer.has_synced for informer in self._informers)

    def snapshot(self) -> Snapshot | None:
        """What is known now; None before everything has been read once."""
        if not self.ready:
            return None
        if self._current is None:
            lists = (informer.all() for informer in self._informers)
            self._current = Snapshot.of(*lists)
        return self._current

    async def run(self) -> None:
        """Follow the API until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run())
