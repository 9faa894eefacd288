"""The loop of the StatefulSet controller."""

from __future__ import annotations

import asyncio
from functools import partial

from kubelab.engine.client import ApiError, Client, Key, Object, WorkQueue, key_of
from kubelab.engine.client.resources import PODS, STATEFULSETS
from kubelab.engine.controllers.clock import Clock, system_clock
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.history import History, Revisions
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.owners import claim, concerned, is_being_deleted, is_controlled_by
from kubelab.engine.controllers.pod_control import PodControl, Words, at_once, in_batches, namespace_is_ending
from kubelab.engine.controllers.pods import is_active, phase, seconds_until_available
from kubelab.engine.controllers.statefulset.identity import ordinal_of, revision_of, stateful_pod
from kubelab.engine.controllers.statefulset.steps import StatefulPods, Steps

HASH_LABEL = "controller.kubernetes.io/hash"
_WORDS = Words(
    created="create Pod {pod} in StatefulSet {owner} successful",
    not_created="create Pod {pod} in StatefulSet {owner} failed error: {error}",
    deleted="delete Pod {pod} in StatefulSet {owner} successful",
    not_deleted="delete Pod {pod} in StatefulSet {owner} failed error: {error}",
)
_NO_VOLUMES = (
    "This cluster has no volumes to claim, so no pod is made: take out volumeClaimTemplates "
    "and give the template an emptyDir volume of the same name instead"
)


class StatefulSetController:
    """Keeps the pods of every StatefulSet, and rolls them from one template to the next."""

    def __init__(self, client: Client, informers: SharedInformers, *, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        self._events = BackgroundEvents(client, "statefulset-controller")
        self._queue: WorkQueue[Key] = WorkQueue("statefulset", self._reconcile)
        self._history = History(client, informers, STATEFULSETS, HASH_LABEL)
        self._statefulsets = informers[STATEFULSETS]
        self._pods = informers[PODS]
        self._control = PodControl(client, self._pods, self._events, _WORDS)
        self._statefulsets.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._pods.listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        for key in concerned(self._statefulsets, old, new):
            self._queue.add(key)

    async def _reconcile(self, key: Key) -> None:
        statefulset = self._statefulsets.get(*key)
        if statefulset is None or is_being_deleted(statefulset):
            return
        revisions = await self._history.sync(statefulset)
        ours = partial(_belongs, statefulset)
        await claim(self._client, statefulset, STATEFULSETS, self._pods, belongs=ours)
        try:
            if statefulset["spec"].get("volumeClaimTemplates"):
                self._events.record(statefulset, "FailedCreate", _NO_VOLUMES, warning=True)
            else:
                await self._step(statefulset, revisions)
        except ApiError as error:
            if not namespace_is_ending(error):
                raise
        finally:
            await self._report(statefulset, revisions)
        live = {revision_of(pod) for pod in self._pods_of(statefulset)}
        live.add(_current(statefulset, revisions)["metadata"]["name"])
        await self._history.clean_up(statefulset, revisions.olds, live)

    async def _step(self, statefulset: Object, revisions: Revisions) -> None:
        pods = self._stateful(statefulset, revisions)
        steps = pods.keep_up()
        if not any(steps):
            steps = pods.roll()
        by_name = {each["metadata"]["name"]: each for each in (*revisions.olds, revisions.current)}
        await self._take(
            statefulset,
            steps,
            [stateful_pod(statefulset, each, by_name[pods.revision_for(each)]) for each in steps.create],
        )

    async def _take(self, statefulset: Object, steps: Steps, pods: list[Object]) -> None:
        for pod in steps.ended:
            failed = phase(pod) == "Failed"
            reason, what = ("RecreatingFailedPod", "failed") if failed else ("RecreatingTerminatedPod", "terminated")
            message = f"StatefulSet {'/'.join(key_of(statefulset))} is recreating {what} Pod {pod['metadata']['name']}"
            self._events.record(statefulset, reason, message, warning=failed)
        await at_once(*(self._control.delete(statefulset, pod) for pod in (*steps.ended, *steps.delete)))
        await in_batches([partial(self._control.create, statefulset, pod) for pod in pods])

    def _pods_of(self, statefulset: Object) -> list[Object]:
        everyone = self._pods.all(statefulset["metadata"]["namespace"])
        return self._control.seen([pod for pod in everyone if is_controlled_by(pod, statefulset)])

    def _stateful(self, statefulset: Object, revisions: Revisions) -> StatefulPods:
        current, update = _current(statefulset, revisions)["metadata"]["name"], revisions.current["metadata"]["name"]
        return StatefulPods(statefulset, self._pods_of(statefulset), current, update, self._clock())

    async def _report(self, statefulset: Object, revisions: Revisions) -> None:
        pods = self._stateful(statefulset, revisions)
        update, counts = revisions.current["metadata"]["name"], pods.counts()
        current = _current(statefulset, revisions)["metadata"]["name"]
        if pods.is_rolled_out():
            current = update
            counts |= {"currentReplicas": counts["updatedReplicas"]} if "updatedReplicas" in counts else {}
        status: Object = {
            **counts,
            "observedGeneration": statefulset["metadata"].get("generation", 0),
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": revisions.collisions or 0,
        }
        if status != statefulset.get("status"):
            changed = await self._client.update(STATEFULSETS, {**statefulset, "status": status}, subresource="status")
            self._statefulsets.wrote(changed)
        min_ready, now = statefulset["spec"].get("minReadySeconds", 0), self._clock()
        waits = [seconds_until_available(pod, min_ready, now) for pod in self._pods_of(statefulset) if is_active(pod)]
        if soonest := min((wait for wait in waits if wait), default=None):
            self._queue.add_after(key_of(statefulset), soonest)


def _belongs(statefulset: Object, pod: Object) -> bool:
    return ordinal_of(statefulset, pod) is not None


def _current(statefulset: Object, revisions: Revisions) -> Object:
    """The revision before the rollout, as the status has it; without one, that of the template."""
    name = (statefulset.get("status") or {}).get("currentRevision")
    return next((each for each in revisions.olds if each["metadata"]["name"] == name), revisions.current)
