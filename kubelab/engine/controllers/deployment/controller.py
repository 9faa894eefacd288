"""The loop of the Deployment controller."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kubelab.engine.client import (
    ApiError,
    Client,
    Key,
    Object,
    WorkQueue,
    already_exists,
    is_conflict,
    is_not_found,
    key_of,
)
from kubelab.engine.client.resources import DEPLOYMENTS, PODS, REPLICASETS
from kubelab.engine.controllers.clock import Clock, system_clock
from kubelab.engine.controllers.conditions import find
from kubelab.engine.controllers.deployment.revisions import (
    REVISION,
    annotations_for,
    next_revision,
    revision_of,
    to_clean_up,
)
from kubelab.engine.controllers.deployment.rolling import (
    Scaled,
    counted,
    is_rolling,
    new_size,
    old_sizes,
    wanted,
)
from kubelab.engine.controllers.deployment.scaling import scaled_sizes, size_annotations, was_scaled
from kubelab.engine.controllers.deployment.status import (
    has_deadline,
    is_complete,
    seconds_until_timeout,
    status_of,
    with_progressing,
)
from kubelab.engine.controllers.deployment.template import find_new, new_replicaset
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import annotations_of
from kubelab.engine.controllers.owners import claim, concerned, controller_of, is_being_deleted, is_controlled_by
from kubelab.engine.controllers.pods import is_finished
from kubelab.engine.controllers.templates import same_template


class DeploymentController:
    """Makes a ReplicaSet for every template a Deployment has had, and moves the replicas to the newest."""

    def __init__(self, client: Client, informers: SharedInformers, *, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        self._events = BackgroundEvents(client, "deployment-controller")
        self._queue: WorkQueue[Key] = WorkQueue("deployment", self._reconcile)
        self._deployments = informers[DEPLOYMENTS]
        self._replicasets = informers[REPLICASETS]
        self._pods = informers[PODS]
        self._deployments.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._replicasets.listen(self._replicaset_changed)
        self._pods.listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _replicaset_changed(self, old: Object | None, new: Object | None) -> None:
        for key in concerned(self._deployments, old, new):
            self._queue.add(key)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """Recreate waits for the last old pod to be gone; nothing else depends on a pod itself."""
        pod = old if new is None else new if is_finished(new) else None
        reference = controller_of(pod) if pod else None
        if pod is None or reference is None or reference["kind"] != "ReplicaSet":
            return
        replicaset = self._replicasets.get(pod["metadata"]["namespace"], reference["name"])
        if replicaset is not None:
            self._replicaset_changed(None, replicaset)

    async def _reconcile(self, key: Key) -> None:
        deployment = self._deployments.get(*key)
        if deployment is None:
            return
        replicasets = await claim(self._client, deployment, DEPLOYMENTS, self._replicasets)
        if is_being_deleted(deployment):
            new, olds = _split(deployment, replicasets)
            await self._report(deployment, new, olds, rollout=False)
            return
        deployment = await self._note_pause(deployment)
        if deployment["spec"].get("paused") or was_scaled(deployment, replicasets):
            await self._resize(deployment, replicasets)
        elif is_rolling(deployment):
            await self._roll(deployment, replicasets)
        else:
            await self._recreate(deployment, replicasets)

    async def _resize(self, deployment: Object, replicasets: Sequence[Object]) -> None:
        deployment, new, olds = await self._sync_new(deployment, replicasets, create=False)
        for replicaset, size in scaled_sizes(deployment, new, olds):
            await self._scale(deployment, replicaset, size)
        if deployment["spec"].get("paused"):
            await self._clean_up(deployment, olds)
        await self._report(deployment, *self._fresh(deployment), rollout=False)

    async def _roll(self, deployment: Object, replicasets: Sequence[Object]) -> None:
        deployment, new, olds = await self._sync_new(deployment, replicasets, create=True)
        assert new is not None
        size = new_size(deployment, new, olds)
        steps: Scaled = [(new, size)] if size != wanted(new) else old_sizes(deployment, new, olds)
        for replicaset, size in steps:
            await self._scale(deployment, replicaset, size)
        if not steps and is_complete(deployment, deployment.get("status") or {}):
            await self._clean_up(deployment, olds)
        await self._report(deployment, *self._fresh(deployment), rollout=True)

    async def _recreate(self, deployment: Object, replicasets: Sequence[Object]) -> None:
        deployment, new, olds = await self._sync_new(deployment, replicasets, create=False)
        shrinking = [each for each in olds if wanted(each) > 0]
        for replicaset in shrinking:
            await self._scale(deployment, replicaset, 0)
        if not shrinking and not self._has_pods(olds):
            deployment, new, olds = await self._sync_new(deployment, replicasets, create=True)
            assert new is not None
            if wanted(new) != wanted(deployment):
                await self._scale(deployment, new, wanted(deployment))
            if is_complete(deployment, deployment.get("status") or {}):
                await self._clean_up(deployment, olds)
        await self._report(deployment, *self._fresh(deployment), rollout=True)

    def _has_pods(self, replicasets: Sequence[Object]) -> bool:
        """Whether a pod of theirs is still running, be it on its way out."""
        uids = {each["metadata"]["uid"] for each in replicasets}
        if any(counted(each, "replicas") for each in replicasets):
            return True
        namespaces = {each["metadata"]["namespace"] for each in replicasets}
        pods = (pod for namespace in namespaces for pod in self._pods.all(namespace) if not is_finished(pod))
        return any((controller_of(pod) or {}).get("uid") in uids for pod in pods)

    def _fresh(self, deployment: Object) -> tuple[Object | None, list[Object]]:
        """The ReplicaSets as they are after what has been written."""
        everyone = self._replicasets.all(deployment["metadata"]["namespace"])
        return _split(deployment, [each for each in everyone if is_controlled_by(each, deployment)])

    async def _sync_new(
        self, deployment: Object, replicasets: Sequence[Object], *, create: bool
    ) -> tuple[Object, Object | None, list[Object]]:
        """The Deployment with its revision noted, the new ReplicaSet (made if need be) and the old ones."""
        new, olds = _split(deployment, replicasets)
        revision = next_revision(olds)
        if new is not None:
            new = await self._renew(deployment, new, revision)
            if has_deadline(deployment) and not find((deployment.get("status") or {}).get("conditions"), "Progressing"):
                message = f'Found new replica set "{new["metadata"]["name"]}"'
                deployment = await self._progress(deployment, "True", "FoundNewReplicaSet", message)
        elif create:
            deployment, new = await self._make_new(deployment, olds, revision)
        if new is not None:
            deployment = await self._note_revision(deployment, revision_of(new))
        return deployment, new, olds

    async def _renew(self, deployment: Object, new: Object, revision: int) -> Object:
        annotations = annotations_for(deployment, new, revision)
        min_ready = deployment["spec"].get("minReadySeconds", 0)
        if annotations == annotations_of(new) and new["spec"].get("minReadySeconds", 0) == min_ready:
            return new
        spec = {**new["spec"], "minReadySeconds": min_ready}
        return await self._write(new, {"spec": spec, "metadata": {**new["metadata"], "annotations": annotations}})

    async def _make_new(self, deployment: Object, olds: Sequence[Object], revision: int) -> tuple[Object, Object]:
        size = new_size(deployment, None, olds)
        annotations = {**annotations_for(deployment, None, revision), **size_annotations(deployment)}
        wish = new_replicaset(deployment, size, annotations)
        try:
            new = await self._client.create(REPLICASETS, wish)
        except ApiError as error:
            if already_exists(error):
                return deployment, await self._resolve_collision(deployment, wish)
            if has_deadline(deployment):
                await self._progress(deployment, "False", "ReplicaSetCreateError", error.message)
            raise
        self._replicasets.wrote(new)
        name = new["metadata"]["name"]
        if size > 0:
            self._events.record(deployment, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}")
        if has_deadline(deployment):
            message = f'Created new replica set "{name}"'
            deployment = await self._progress(deployment, "True", "NewReplicaSetCreated", message)
        return deployment, new

    async def _resolve_collision(self, deployment: Object, wish: Object) -> Object:
        """The name is taken: by our own ReplicaSet, or by another template of the same hash (then: another hash)."""
        meta = wish["metadata"]
        known = await self._client.get(REPLICASETS, meta["name"], meta["namespace"])
        if is_controlled_by(known, deployment) and same_template(known["spec"]["template"], wish["spec"]["template"]):
            self._replicasets.wrote(known)
            return known
        collisions = (deployment.get("status") or {}).get("collisionCount", 0) + 1
        status = {**(deployment.get("status") or {}), "collisionCount": collisions}
        await self._write_status(deployment, status)
        raise ApiError(409, "Conflict", f"the name {meta['name']} is taken; trying another hash")

    async def _scale(self, deployment: Object, replicaset: Object, size: int) -> None:
        before = wanted(replicaset)
        annotations = {**annotations_of(replicaset), **size_annotations(deployment)}
        if size == before and annotations == annotations_of(replicaset):
            return
        spec = {**replicaset["spec"], "replicas": size}
        await self._write(
            replicaset, {"spec": spec, "metadata": {**replicaset["metadata"], "annotations": annotations}}
        )
        if size != before:
            way = "up" if size > before else "down"
            message = f"Scaled {way} replica set {replicaset['metadata']['name']} from {before} to {size}"
            self._events.record(deployment, "ScalingReplicaSet", message)

    async def _clean_up(self, deployment: Object, olds: Sequence[Object]) -> None:
        for replicaset in to_clean_up(deployment, olds):
            meta = replicaset["metadata"]
            try:
                await self._client.delete(REPLICASETS, meta["name"], meta["namespace"], uid=meta["uid"])
            except ApiError as error:
                if not (is_not_found(error) or is_conflict(error)):
                    raise

    async def _note_pause(self, deployment: Object) -> Object:
        """A pause stops the clock of the deadline; a rollout known to be stuck stays so."""
        reason = (find((deployment.get("status") or {}).get("conditions"), "Progressing") or {}).get("reason")
        if not has_deadline(deployment) or reason == "ProgressDeadlineExceeded":
            return deployment
        paused = deployment["spec"].get("paused", False)
        if paused and reason != "DeploymentPaused":
            return await self._progress(deployment, "Unknown", "DeploymentPaused", "Deployment is paused")
        if not paused and reason == "DeploymentPaused":
            return await self._progress(deployment, "Unknown", "DeploymentResumed", "Deployment is resumed")
        return deployment

    async def _note_revision(self, deployment: Object, revision: int) -> Object:
        if revision_of(deployment) == revision:
            return deployment
        annotations = {**annotations_of(deployment), REVISION: str(revision)}
        metadata = {**deployment["metadata"], "annotations": annotations}
        changed = await self._client.update(DEPLOYMENTS, {**deployment, "metadata": metadata})
        self._deployments.wrote(changed)
        return changed

    async def _report(self, deployment: Object, new: Object | None, olds: Sequence[Object], *, rollout: bool) -> None:
        now = self._clock()
        status = status_of(deployment, new, olds, now, rollout=rollout)
        if status != deployment.get("status"):
            deployment = await self._write_status(deployment, status)
        wait = seconds_until_timeout(deployment, now) if rollout else None
        if wait is not None:
            self._queue.add_after(key_of(deployment), wait)

    async def _progress(self, deployment: Object, status: str, reason: str, message: str) -> Object:
        changed = with_progressing(deployment, status, reason, message, self._clock())
        return await self._write_status(deployment, changed)

    async def _write_status(self, deployment: Object, status: Object) -> Object:
        changed = await self._client.update(DEPLOYMENTS, {**deployment, "status": status}, subresource="status")
        self._deployments.wrote(changed)
        return changed

    async def _write(self, replicaset: Object, change: Object) -> Object:
        changed = await self._client.update(REPLICASETS, {**replicaset, **change})
        self._replicasets.wrote(changed)
        return changed


def _split(deployment: Object, replicasets: Sequence[Object]) -> tuple[Object | None, list[Object]]:
    new = find_new(deployment, replicasets)
    return new, [each for each in replicasets if each is not new]
