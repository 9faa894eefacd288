"""The loop of the disruption controller.

It grants nothing itself: the API server lets an eviction pass as long as the status says that one more is allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from kubelab.engine.client import Client, Informer, Key, Object, Resource, WorkQueue, key_of
from kubelab.engine.client.resources import DEPLOYMENTS, PODDISRUPTIONBUDGETS, PODS, REPLICASETS, STATEFULSETS
from kubelab.engine.controllers.clock import Clock, parse, system_clock
from kubelab.engine.controllers.disruption.budget import (
    EVICTION_SECONDS,
    failed_status,
    need_of,
    needs_scale,
    status_of,
    still_disrupted,
)
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import labels_of, selects
from kubelab.engine.controllers.owners import controller_of, is_being_deleted
from kubelab.engine.controllers.pods import is_ready

_SCALABLE: tuple[Resource, ...] = (DEPLOYMENTS, REPLICASETS, STATEFULSETS)


class NoScale(Exception):
    """Nobody can say how many pods there should be; the message says why."""


class DisruptionController:
    """Keeps the status of every PodDisruptionBudget."""

    def __init__(self, client: Client, informers: SharedInformers, *, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        self._events = BackgroundEvents(client, "controllermanager")
        self._queue: WorkQueue[Key] = WorkQueue("disruption", self._reconcile)
        self._budgets = informers[PODDISRUPTIONBUDGETS]
        self._pods = informers[PODS]
        self._owners: dict[str, Informer] = {each.kind: informers[each] for each in _SCALABLE}
        self._budgets.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._pods.listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if _what_matters(old) == _what_matters(new):
            return
        for pod in (old, new):
            for budget in self._budgets.all(pod["metadata"]["namespace"]) if pod else ():
                if selects(budget["spec"].get("selector"), labels_of(pod or {})):
                    self._queue.add(key_of(budget))

    async def _reconcile(self, key: Key) -> None:
        budget = self._budgets.get(*key)
        if budget is None or is_being_deleted(budget):
            return
        now = self._clock()
        pods = [pod for pod in self._pods.all(key[0]) if selects(budget["spec"].get("selector"), labels_of(pod))]
        waiting, late = still_disrupted(budget, pods, now)
        for pod in late:
            message = f"Pod was expected by PDB {'/'.join(key)} to be deleted but it wasn't"
            self._events.record(pod, "NotDeleted", message, warning=True)
        try:
            scale = self._scale(budget, pods) if needs_scale(budget) else 0
            status = status_of(budget, pods, need_of(budget, len(pods), scale), now)
        except NoScale as why:
            message = f"Failed to calculate the number of expected pods: {why}"
            self._events.record(budget, "CalculateExpectedPodCountFailed", message, warning=True)
            status = failed_status(budget, str(why), now)
        if status != budget.get("status"):
            if not pods:
                self._events.record(budget, "NoPods", "No matching pods found")
            changed = await self._client.update(
                PODDISRUPTIONBUDGETS, {**budget, "status": status}, subresource="status"
            )
            self._budgets.wrote(changed)
        if waiting:
            until = min(map(parse, waiting.values())) + timedelta(seconds=EVICTION_SECONDS)
            self._queue.add_after(key, max(0.0, (until - now).total_seconds()))

    def _scale(self, budget: Object, pods: Sequence[Object]) -> int:
        """The replicas that the pods' controllers ask for, each controller once. Raises `NoScale`."""
        asked: dict[str, int] = {}
        unmanaged = []
        for pod in pods:
            owner = self._controller(pod)
            if owner is None:
                unmanaged.append(pod)
            else:
                asked[owner["metadata"]["uid"]] = int(owner["spec"].get("replicas", 1))
        if unmanaged:
            message = (
                f"{len(unmanaged)} of the pods that this budget selects have no controller that could say how many "
                "there should be, so its status cannot be calculated correctly. "
                "To count them too, set .spec.minAvailable to a whole number"
            )
            self._events.record(budget, "UnmanagedPods", message, warning=True)
        return sum(asked.values())

    def _controller(self, pod: Object) -> Object | None:
        """The Deployment, ReplicaSet or StatefulSet that the pod is of; None for a pod of nobody."""
        reference = controller_of(pod)
        if reference is None:
            return None
        namespace = pod["metadata"]["namespace"]
        informer = self._owners.get(reference["kind"])
        owner = informer.get(namespace, reference["name"]) if informer is not None else None
        if owner is None or owner["metadata"]["uid"] != reference["uid"]:
            raise NoScale(
                f"{reference['kind']} {reference['name']}, to which pod {key_of(pod)[1]} belongs, has no scale"
            )
        above = controller_of(owner)
        if above is not None and above["kind"] == "Deployment":
            deployment = self._owners["Deployment"].get(namespace, above["name"])
            return deployment or owner
        return owner


def _what_matters(pod: Object | None) -> object:
    """All of a pod that a budget depends on."""
    return None if pod is None else (labels_of(pod), is_ready(pod), is_being_deleted(pod), controller_of(pod))
