"""The loop of the scheduler."""

from __future__ import annotations

import asyncio
from typing import Any

from kubelab.engine.client import ApiError, Client, Key, Object, WorkQueue, is_not_found, key_of
from kubelab.engine.client.resources import NAMESPACES, NODES, PODS
from kubelab.engine.controllers.clock import Clock, system_clock
from kubelab.engine.controllers.conditions import find, with_condition
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.nodes.taints import ready_status
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.pods import is_finished
from kubelab.engine.controllers.scheduler.cluster import Cluster
from kubelab.engine.controllers.scheduler.decision import choose
from kubelab.engine.controllers.scheduler.filters import explain

NAME = "default-scheduler"


class Scheduler:
    """Decides for one pod after the other. A pod that fits nowhere is tried again when something has changed."""

    def __init__(self, client: Client, informers: SharedInformers, *, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        self._events = BackgroundEvents(client, NAME)
        self._queue: WorkQueue[Key] = WorkQueue("scheduler", self._schedule, workers=1)
        self._unplaced: set[Key] = set()
        self._assumed: dict[str, Object] = {}
        self._pods = informers[PODS]
        self._nodes = informers[NODES]
        self._namespaces = informers[NAMESPACES]
        self._pods.listen(self._pod_changed)
        self._nodes.listen(self._node_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old or {}
        if new is not None and is_waiting(new):
            if old is None or old["spec"] != new["spec"] or not is_waiting(old):
                self._queue.add(key_of(new))
            return
        self._unplaced.discard(key_of(pod))
        self._assumed.pop(pod["metadata"]["uid"], None)
        if old is None or new is None or _room_taken(old) != _room_taken(new):
            self._try_again()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if _what_counts(old) != _what_counts(new):
            self._try_again()

    def _try_again(self) -> None:
        for key in sorted(self._unplaced):
            self._queue.add(key)

    def _cluster(self) -> Cluster:
        pods = [self._assumed.get(pod["metadata"]["uid"], pod) for pod in self._pods.all()]
        namespaces = {each["metadata"]["name"]: labels_of(each) for each in self._namespaces.all()}
        return Cluster([node for node in self._nodes.all() if not is_being_deleted(node)], pods, namespaces)

    async def _schedule(self, key: Key) -> None:
        pod = self._pods.get(*key)
        if pod is None or not is_waiting(pod) or pod["metadata"]["uid"] in self._assumed:
            return
        node, refusals = choose(pod, self._cluster(), self._clock())
        if node is not None:
            await self._bind(pod, node)
        else:
            self._unplaced.add(key)
            await self._report(pod, explain(refusals))

    async def _bind(self, pod: Object, node: str) -> None:
        meta = pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        self._assumed[meta["uid"]] = {**pod, "spec": {**pod["spec"], "nodeName": node}}
        try:
            await self._client.send("POST", PODS.path(meta["namespace"], meta["name"], "binding"), body=binding)
        except (ApiError, OSError) as error:
            self._assumed.pop(meta["uid"], None)
            if is_not_found(error):
                return
            raise
        self._unplaced.discard(key_of(pod))
        message = f"Successfully assigned {meta['namespace']}/{meta['name']} to {node}"
        self._events.record(pod, "Scheduled", message)

    async def _report(self, pod: Object, message: str) -> None:
        """Once for each new reason: the condition's message says what has been said already."""
        status = pod.get("status") or {}
        known = find(status.get("conditions"), "PodScheduled")
        if known is not None and known["status"] == "False" and known.get("message") == message:
            return
        others = [each for each in status.get("conditions") or () if each is not known]
        since = [{**known, "reason": "", "message": ""}] if known else []
        conditions = with_condition([*others, *since], "PodScheduled", "False", "Unschedulable", message, self._clock())
        try:
            changed = await self._client.update(
                PODS, {**pod, "status": {**status, "conditions": conditions}}, subresource="status"
            )
        except ApiError as error:
            if is_not_found(error):
                return
            raise
        self._pods.wrote(changed)
        self._events.record(pod, "FailedScheduling", message, warning=True)


def is_waiting(pod: Object) -> bool:
    """Whether the pod wants a node, from this scheduler, now."""
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not spec.get("schedulingGates")
        and spec.get("schedulerName", NAME) == NAME
        and not is_being_deleted(pod)
        and not is_finished(pod)
    )


def _room_taken(pod: Object) -> Any:
    """What other pods' places can depend on."""
    return pod["spec"].get("nodeName"), is_finished(pod), is_being_deleted(pod), labels_of(pod)


def _what_counts(node: Object | None) -> Any:
    """What the choice of a node depends on; a heartbeat is none of it."""
    if node is None:
        return None
    allocatable = (node.get("status") or {}).get("allocatable")
    return node["spec"], labels_of(node), allocatable, ready_status(node), is_being_deleted(node)
