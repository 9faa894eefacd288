"""The snapshot that questions are answered from, kept true by list and watch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection

from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import ENDPOINTSLICES, NAMESPACES, PODS, SERVICES
from kubelab.engine.dns.snapshot import Snapshot


class ClusterNames:
    """Reads the objects anew at the first question after a change.

    ``pods`` tells whether pods are followed too, ``only`` names the namespaces that are shown (all when empty).
    """

    def __init__(
        self, client: Client, *, pods: bool = False, only: Collection[str] = (), endpoint_pod_names: bool = False
    ) -> None:
        followed = [Informer(client, resource) for resource in (NAMESPACES, SERVICES, ENDPOINTSLICES)]
        self._informers = [*followed, Informer(client, PODS, keep=_address)] if pods else followed
        self._only = only
        self._endpoint_pod_names = endpoint_pod_names
        self._current: Snapshot | None = None
        for informer in self._informers:
            informer.listen(self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        self._current = None

    @property
    def ready(self) -> bool:
        """Whether every list has been read once."""
        return all(informer.has_synced for informer in self._informers)

    async def synced(self) -> None:
        """Wait until every list has been read once."""
        for informer in self._informers:
            await informer.synced()

    def snapshot(self) -> Snapshot | None:
        """What is known now; None before everything has been read once."""
        if not self.ready:
            return None
        if self._current is None:
            lists = (informer.all() for informer in self._informers)
            self._current = Snapshot.of(
                *lists, only=self._only, endpoint_pod_names=self._endpoint_pod_names, modified=int(time.time())
            )
        return self._current

    async def run(self) -> None:
        """Follow the API until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run())


def _address(pod: Object) -> Object:
    """What is remembered of a pod."""
    return {"metadata": pod["metadata"], "status": {"podIP": (pod.get("status") or {}).get("podIP")}}
