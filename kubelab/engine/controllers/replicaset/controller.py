"""The loop of the ReplicaSet controller."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from kubelab.engine.client import ApiError, Client, Key, Object, WorkQueue, key_of
from kubelab.engine.client.resources import PODS, REPLICASETS
from kubelab.engine.controllers.clock import Clock, system_clock
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.owners import (
    claim,
    concerned,
    controller_of,
    is_being_deleted,
    is_controlled_by,
)
from kubelab.engine.controllers.pod_control import PodControl, at_once, in_batches, namespace_is_ending, pod_of
from kubelab.engine.controllers.pods import is_active
from kubelab.engine.controllers.replicaset.deletion_order import to_delete
from kubelab.engine.controllers.replicaset.status import seconds_until_more_available, status_of

MOST_AT_ONCE = 500
"""No reconcile creates or deletes more pods than this."""


class ReplicaSetController:
    """Creates and deletes pods until each ReplicaSet has as many as it asks for, and says so in its status."""

    def __init__(self, client: Client, informers: SharedInformers, *, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        self._events = BackgroundEvents(client, "replicaset-controller")
        self._queue: WorkQueue[Key] = WorkQueue("replicaset", self._reconcile)
        self._replicasets = informers[REPLICASETS]
        self._pods = informers[PODS]
        self._control = PodControl(client, self._pods, self._events)
        self._replicasets.listen(self._replicaset_changed)
        self._pods.listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _replicaset_changed(self, old: Object | None, new: Object | None) -> None:
        self._queue.add(key_of(new or old or {}))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        for key in concerned(self._replicasets, old, new):
            self._queue.add(key)

    async def _reconcile(self, key: Key) -> None:
        replicaset = self._replicasets.get(*key)
        if replicaset is None:
            return
        pods = await claim(self._client, replicaset, REPLICASETS, self._pods)
        refused: ApiError | None = None
        failure = None
        if not is_being_deleted(replicaset):
            failure, refused = await self._scale(replicaset, pods)
        await self._report(key, failure)
        if refused is not None:
            raise refused

    async def _scale(
        self, replicaset: Object, pods: Sequence[Object]
    ) -> tuple[tuple[str, str] | None, ApiError | None]:
        """Create or delete pods; answers the failure for the status and the error to try again for, if any."""
        active = [pod for pod in self._control.seen(pods) if is_active(pod)]
        missing = replicaset["spec"].get("replicas", 1) - len(active)
        try:
            if missing > 0:
                pod = pod_of(replicaset, REPLICASETS, replicaset["spec"]["template"])
                await in_batches([partial(self._control.create, replicaset, pod)] * min(missing, MOST_AT_ONCE))
            elif missing < 0:
                chosen = to_delete(active, self._siblings(replicaset), min(-missing, MOST_AT_ONCE), self._clock())
                await at_once(*(self._control.delete(replicaset, pod) for pod in chosen))
        except ApiError as error:
            if namespace_is_ending(error):
                return None, None
            return ("FailedCreate" if missing > 0 else "FailedDelete", error.message), error
        return None, None

    def _siblings(self, replicaset: Object) -> list[Object]:
        """The pods of all ReplicaSets that have the same owner as this one."""
        owner = controller_of(replicaset)
        family = {replicaset["metadata"]["uid"]}
        namespace = replicaset["metadata"]["namespace"]
        for other in self._replicasets.all(namespace):
            reference = controller_of(other)
            if owner is not None and reference is not None and reference["uid"] == owner["uid"]:
                family.add(other["metadata"]["uid"])
        return [pod for pod in self._pods.all(namespace) if (controller_of(pod) or {}).get("uid") in family]

    async def _report(self, key: Key, failure: tuple[str, str] | None) -> None:
        replicaset = self._replicasets.get(*key)
        if replicaset is None:
            return
        now = self._clock()
        pods = [pod for pod in self._pods.all(key[0]) if is_controlled_by(pod, replicaset)]
        status = status_of(replicaset, pods, now, failure)
        if status != replicaset.get("status"):
            changed = await self._client.update(REPLICASETS, {**replicaset, "status": status}, subresource="status")
            self._replicasets.wrote(changed)
        wait = seconds_until_more_available(replicaset, pods, now)
        if wait is not None:
            self._queue.add_after(key, wait)
