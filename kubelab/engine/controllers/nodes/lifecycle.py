"""The node lifecycle controller: notices nodes that have stopped speaking, and taints those that are not ready.

A node agent renews its Lease; one that has not for 50 s is taken for dead: the node becomes NotReady (Unknown), is
tainted ``unreachable``, and its pods stop being ready. https://kubernetes.io/docs/concepts/architecture/nodes/#heartbeats
What counts is when a renewal was seen, not the time written in it: a machine that slept does not wake among the dead.
Who goes because of a taint is `eviction`'s to decide.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

from kubelab.engine.client import ApiError, Client, Object, WorkQueue, is_not_found
from kubelab.engine.client.resources import LEASES, NODES, PODS
from kubelab.engine.controllers.clock import Clock, Steady, system_clock, written
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.nodes.taints import ready_status, taints_for
from kubelab.engine.controllers.pods import is_finished, ready_condition

LEASE_NAMESPACE = "kube-node-lease"
GRACE_SECONDS = 50
TICK_SECONDS = 5.0


class NodeLifecycleController:
    """Looks at the Leases every five seconds, and at a node whenever it changes."""

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
        self._watching_since = steady()
        self._heard: dict[str, float] = {}
        """When each node's Lease was last seen to be renewed, or at first the node itself."""
        self._events = BackgroundEvents(client, "node-controller")
        self._queue: WorkQueue[str] = WorkQueue("node lifecycle", self._reconcile)
        self._nodes = informers[NODES]
        informers[LEASES].listen(self._lease_changed)
        self._pods = informers[PODS]
        self._nodes.listen(self._node_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())
            group.create_task(self._tick())

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        """Whether anybody is evicted anywhere depends on whether any node is ready."""
        if old is None and new is not None:
            self._heard[new["metadata"]["name"]] = self._steady()
        both = old is not None and new is not None
        alike = both and ready_status(old or {}) == ready_status(new or {})
        for node in [new or {}] if alike else [*self._nodes.all()]:
            self._queue.add(node["metadata"]["name"])

    def _lease_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and new["metadata"]["namespace"] == LEASE_NAMESPACE:
            self._heard[new["metadata"]["name"]] = self._steady()

    async def _tick(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)
            if time.monotonic() - before > 2 * TICK_SECONDS:
                self._watching_since = self._steady()  # we slept ourselves, and so did the agents
            for node in self._nodes.all():
                if self._is_silent(node) and ready_status(node) != "Unknown":
                    self._queue.add(node["metadata"]["name"])

    def _is_silent(self, node: Object) -> bool:
        """Whether the grace period is over. Time in which nobody was here to look does not count against a node."""
        heard = self._heard.get(node["metadata"]["name"], self._watching_since)
        return self._steady() - max(heard, self._watching_since) > GRACE_SECONDS

    async def _reconcile(self, name: str) -> None:
        node = self._nodes.get("", name)
        if node is None:
            return
        if self._is_silent(node) and ready_status(node) != "Unknown":
            node = await self._declare_unknown(node)
        evicts = any(ready_status(each) == "True" for each in self._nodes.all())
        taints = taints_for(node, self._clock(), evicts=evicts)
        if taints != (node["spec"].get("taints") or []):
            spec = {**node["spec"], "taints": taints}
            node = await self._client.update(NODES, {**node, "spec": spec})
            self._nodes.wrote(node)
        if ready_status(node) != "True":
            await self._mark_pods(name)

    async def _declare_unknown(self, node: Object) -> Object:
        status = node.get("status") or {}
        conditions = [_unknown(each, self._clock()) for each in status.get("conditions") or ()]
        if not any(each["type"] == "Ready" for each in conditions):
            conditions.append(_unknown({"type": "Ready"}, self._clock()))
        changed = await self._client.update(
            NODES, {**node, "status": {**status, "conditions": conditions}}, subresource="status"
        )
        self._nodes.wrote(changed)
        name = node["metadata"]["name"]
        self._events.record(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return changed

    async def _mark_pods(self, node: str) -> None:
        for pod in self._pods.all():
            ready = ready_condition(pod)
            if pod["spec"].get("nodeName") != node or is_finished(pod) or ready is None or ready["status"] != "True":
                continue
            conditions = [
                {**each, "status": "False", "lastTransitionTime": written(self._clock())} if each is ready else each
                for each in pod["status"]["conditions"]
            ]
            try:
                changed = await self._client.update(
                    PODS, {**pod, "status": {**pod["status"], "conditions": conditions}}, subresource="status"
                )
            except ApiError as error:
                if is_not_found(error):
                    continue
                raise
            self._pods.wrote(changed)
            self._events.record(pod, "NodeNotReady", "Node is not ready", warning=True)


def _unknown(condition: Object, now: datetime) -> Object:
    if condition.get("status") == "Unknown":
        return condition
    return {
        **condition,
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
        "lastTransitionTime": written(now),
    }
