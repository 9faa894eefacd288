"""Eviction from tainted nodes: a pod that does not tolerate a ``NoExecute`` taint goes, at once or when its time is up.

The pod is deleted with its grace period. On a node that does not answer nobody confirms that its programs have ended,
so it stays there as Terminating until the node speaks again or somebody deletes it by force; its replacement runs
by then.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from datetime import datetime

from kubelab.engine.client import ApiError, Client, Key, Object, WorkQueue, is_not_found, key_of
from kubelab.engine.client.resources import NODES, PODS
from kubelab.engine.controllers.clock import Clock, Steady, parse, system_clock
from kubelab.engine.controllers.conditions import with_condition
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.taints import toleration_of

DISRUPTION_TARGET = "DisruptionTarget"


class TaintEvictionController:
    """Deletes pods when the time has run out for which they tolerate their node's taints."""

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
        self._events = BackgroundEvents(client, "taint-eviction-controller")
        self._queue: WorkQueue[Key] = WorkQueue("taint eviction", self._reconcile)
        self._since: dict[str, float] = {}
        """From when on each pod's time runs that is to go, by uid."""
        self._nodes = informers[NODES]
        self._pods = informers[PODS]
        self._nodes.listen(self._node_changed)
        self._pods.listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if any(evicting_taints(each) for each in (old, new)):
            name = (new or old or {})["metadata"]["name"]
            for pod in self._pods.all():
                if pod["spec"].get("nodeName") == name:
                    self._queue.add(key_of(pod))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._since.pop((old or {})["metadata"]["uid"], None)
        elif evicting_taints(self._nodes.get("", new["spec"].get("nodeName", ""))):
            self._queue.add(key_of(new))

    async def _reconcile(self, key: Key) -> None:
        pod = self._pods.get(*key)
        if pod is None or is_being_deleted(pod):
            return
        uid, now, passed = pod["metadata"]["uid"], self._clock(), self._steady()
        taints = evicting_taints(self._nodes.get("", pod["spec"].get("nodeName", "")))
        wait = seconds_tolerated(pod, taints)
        if wait == math.inf:
            if self._since.pop(uid, None):
                self._events.record(pod, "TaintManagerEviction", f"Cancelling deletion of Pod {'/'.join(key)}")
            return
        if uid not in self._since:
            self._since[uid] = passed - max(0.0, (now - tainted_since(pod, taints, now)).total_seconds())
        left = self._since[uid] + wait - passed
        if left > 0:
            self._queue.add_after(key, left)
            return
        self._events.record(pod, "TaintManagerEviction", f"Marking for deletion Pod {'/'.join(key)}")
        message = "Taint manager: deleting due to NoExecute taint"
        await delete_as_disrupted(self._client, pod, "DeletionByTaintManager", message, now)


def evicting_taints(node: Object | None) -> list[Object]:
    """The ``NoExecute`` taints of a node; none of one that is not there."""
    taints = (node or {}).get("spec", {}).get("taints") or ()
    return [each for each in taints if each["effect"] == "NoExecute"]


def seconds_tolerated(pod: Object, taints: Iterable[Object]) -> float:
    """How long a pod may stay with these taints: 0 when it does not tolerate one of them, or infinite."""
    seconds = math.inf
    for taint in taints:
        toleration = toleration_of(pod, taint)
        if toleration is None:
            return 0
        if toleration.get("tolerationSeconds") is not None:
            seconds = min(seconds, max(0, toleration["tolerationSeconds"]))
    return seconds


def tainted_since(pod: Object, taints: Iterable[Object], now: datetime) -> datetime:
    """When the first of the taints and the pod were there; a taint that does not say since when is new."""
    added = min(parse(each["timeAdded"]) if each.get("timeAdded") else now for each in taints)
    return max(added, parse(pod["metadata"]["creationTimestamp"]))


async def delete_as_disrupted(
    client: Client, pod: Object, reason: str, message: str, now: datetime, *, failed: bool = False
) -> None:
    """Say in the pod's condition ``DisruptionTarget`` why it goes, and delete it; ``failed``: it has ended, at once."""
    meta, status = pod["metadata"], pod.get("status") or {}
    conditions = with_condition(status.get("conditions"), DISRUPTION_TARGET, "True", reason, message, now)
    patch = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": conditions}}
    if failed:
        patch["status"] |= {"phase": "Failed"}
    try:
        await client.patch(PODS, meta["name"], patch, meta["namespace"], subresource="status")
        grace = 0 if failed else None
        await client.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace_seconds=grace)
    except ApiError as error:
        if not is_not_found(error) and error.code != 409:  # gone, or another pod of that name
            raise
