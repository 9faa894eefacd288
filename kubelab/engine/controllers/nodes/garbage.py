"""Pods of nodes that are not there any more: nobody would ever end them, so their objects are taken away.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
"""

from __future__ import annotations

import time

from kubelab.engine.client import Client, Object, WorkQueue
from kubelab.engine.client.resources import NODES, PODS
from kubelab.engine.controllers.clock import Clock, Steady, system_clock
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.nodes.eviction import delete_as_disrupted

QUARANTINE_SECONDS = 40
"""A node may be deleted and come back: its pods are left alone for so long."""


class PodGarbageCollector:
    """Looks at a node when it goes, and when a pod is found on one that is not there."""

    def __init__(
        self,
        client: Client,
        informers: SharedInformers,
        *,
        clock: Clock = system_clock,
        steady: Steady = time.monotonic,
    ) -> None:
        self._client = client
        self._clock = clock
        self._steady = steady
        self._queue: WorkQueue[str] = WorkQueue("pod garbage collector", self._reconcile)
        self._missing_since: dict[str, float] = {}
        self._nodes = informers[NODES]
        self._pods = informers[PODS]
        self._nodes.listen(self._node_changed)
        self._pods.listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None:
            self._queue.add((new or old or {})["metadata"]["name"])

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        name = new["spec"].get("nodeName") if new is not None else None
        if name and self._nodes.get("", name) is None:
            self._queue.add(name)

    async def _reconcile(self, name: str) -> None:
        pods = [pod for pod in self._pods.all() if pod["spec"].get("nodeName") == name]
        if self._nodes.get("", name) is not None or not pods:
            self._missing_since.pop(name, None)
            return
        now = self._steady()
        left = self._missing_since.setdefault(name, now) + QUARANTINE_SECONDS - now
        if left > 0:
            self._queue.add_after(name, left)
            return
        for pod in pods:
            message = "PodGC: node no longer exists"
            await delete_as_disrupted(self._client, pod, "DeletionByPodGC", message, self._clock(), failed=True)
