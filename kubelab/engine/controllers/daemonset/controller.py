"""The loop of the DaemonSet controller."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

from kubelab.engine.client import ApiError, Client, Key, Object, WorkQueue, key_of
from kubelab.engine.client.resources import DAEMONSETS, NODES, PODS
from kubelab.engine.controllers.clock import Clock, Steady, system_clock
from kubelab.engine.controllers.daemonset.placement import by_node, daemon_pod, node_of
from kubelab.engine.controllers.daemonset.steps import Daemons, Steps
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.history import REVISION_LABEL, History, Revisions
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.owners import claim, concerned, is_being_deleted, is_controlled_by
from kubelab.engine.controllers.pod_control import PodControl, at_once, in_batches, namespace_is_ending
from kubelab.engine.controllers.pods import is_active, phase, seconds_until_available

LONGEST_BACKOFF_SECONDS = 900.0


class DaemonSetController:
    """Keeps a pod of every DaemonSet on each node that suits, and rolls them from one template to the next."""

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
        self._events = BackgroundEvents(client, "daemonset-controller")
        self._queue: WorkQueue[Key] = WorkQueue("daemonset", self._reconcile)
        self._history = History(client, informers, DAEMONSETS, REVISION_LABEL)
        self._ended: dict[tuple[str, str], tuple[int, float]] = {}
        """How often, and when last, pods of a DaemonSet (uid) were replaced on a node after they had ended."""
        self._daemonsets = informers[DAEMONSETS]
        self._pods = informers[PODS]
        self._nodes = informers[NODES]
        self._control = PodControl(client, self._pods, self._events)
        self._daemonsets.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._pods.listen(self._pod_changed)
        self._nodes.listen(self._node_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if _what_counts(old) != _what_counts(new):
            for daemonset in self._daemonsets.all():
                self._queue.add(key_of(daemonset))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        for key in concerned(self._daemonsets, old, new):
            self._queue.add(key)

    async def _reconcile(self, key: Key) -> None:
        daemonset = self._daemonsets.get(*key)
        if daemonset is None or is_being_deleted(daemonset):
            return
        revisions = await self._history.sync(daemonset)
        await claim(self._client, daemonset, DAEMONSETS, self._pods)
        try:
            steps = self._daemons(daemonset, revisions).keep_up()
            await self._take(daemonset, revisions, steps)
            if not any(steps) and daemonset["spec"]["updateStrategy"]["type"] == "RollingUpdate":
                await self._take(daemonset, revisions, self._daemons(daemonset, revisions).roll())
        except ApiError as error:
            if not namespace_is_ending(error):
                raise
        finally:
            await self._report(daemonset, revisions)
        live = {labels_of(pod).get(REVISION_LABEL) for pod in self._pods_of(daemonset)}
        kept = {each["metadata"]["name"] for each in revisions.olds if labels_of(each).get(REVISION_LABEL) in live}
        await self._history.clean_up(daemonset, revisions.olds, kept)

    def _pods_of(self, daemonset: Object) -> list[Object]:
        everyone = self._pods.all(daemonset["metadata"]["namespace"])
        return self._control.seen([pod for pod in everyone if is_controlled_by(pod, daemonset)])

    def _daemons(self, daemonset: Object, revisions: Revisions) -> Daemons:
        nodes = [node for node in self._nodes.all() if not is_being_deleted(node)]
        pods, revision = by_node(self._pods_of(daemonset)), labels_of(revisions.current)[REVISION_LABEL]
        return Daemons(daemonset, nodes, pods, revision, self._clock())

    async def _take(self, daemonset: Object, revisions: Revisions, steps: Steps) -> None:
        revision = labels_of(revisions.current)[REVISION_LABEL]
        ended = [pod for pod in steps.ended if self._may_replace(daemonset, pod)]
        await at_once(*(self._control.delete(daemonset, pod) for pod in [*steps.delete, *ended]))
        pods = (daemon_pod(daemonset, node, revision) for node in steps.create)
        await in_batches([partial(self._control.create, daemonset, pod) for pod in pods])

    def _may_replace(self, daemonset: Object, pod: Object) -> bool:
        """Whether it is time to replace a pod that has ended: later each time, as the next may end as soon."""
        where, now = (daemonset["metadata"]["uid"], node_of(pod)), self._steady()
        times, last = self._ended.get(where, (0, now))
        wait = last + min(2.0**times, LONGEST_BACKOFF_SECONDS) - now
        if times and wait > 0:
            self._queue.add_after(key_of(daemonset), wait)
            return False
        self._ended[where] = (times + 1, now)
        failed = phase(pod) == "Failed"
        reason, what = ("FailedDaemonPod", "failed") if failed else ("SucceededDaemonPod", "succeeded")
        verb = "kill" if failed else "delete"
        message = f"Found {what} daemon pod {'/'.join(key_of(pod))} on node {node_of(pod)}, will try to {verb} it"
        self._events.record(daemonset, reason, message, warning=failed)
        return True

    async def _report(self, daemonset: Object, revisions: Revisions) -> None:
        now, pods = self._clock(), self._pods_of(daemonset)
        status: Object = self._daemons(daemonset, revisions).counts()
        status["observedGeneration"] = daemonset["metadata"].get("generation", 0)
        if revisions.collisions is not None:
            status["collisionCount"] = revisions.collisions
        if status != daemonset.get("status"):
            changed = await self._client.update(DAEMONSETS, {**daemonset, "status": status}, subresource="status")
            self._daemonsets.wrote(changed)
        min_ready = daemonset["spec"].get("minReadySeconds", 0)
        waits = [seconds_until_available(pod, min_ready, now) for pod in pods if is_active(pod)]
        if soonest := min((wait for wait in waits if wait), default=None):
            self._queue.add_after(key_of(daemonset), soonest)


def _what_counts(node: Object | None) -> Any:
    """What a DaemonSet's choice of nodes depends on; a heartbeat is none of it."""
    return None if node is None else (node["spec"].get("taints"), labels_of(node), is_being_deleted(node))
