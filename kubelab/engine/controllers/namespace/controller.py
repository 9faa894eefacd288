"""The loop of the namespace controller.

A namespace that is being deleted is emptied, resource by resource; when nothing is left its finalizer ``kubernetes`` is
taken off, and the API lets it go. https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
"""

from __future__ import annotations

import asyncio

from kubelab.engine.client import ApiError, Client, Object, Resource, WorkQueue, is_not_found
from kubelab.engine.client.resources import EVENTS, NAMESPACES, PODS
from kubelab.engine.controllers.clock import Clock, system_clock
from kubelab.engine.controllers.discovery import served_resources
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.namespace.conditions import conditions_of
from kubelab.engine.controllers.owners import is_being_deleted

FINALIZER = "kubernetes"
LOOK_AGAIN_SECONDS = 1.0


class NamespaceController:
    """Empties namespaces that are being deleted, and says in their conditions what still stands in the way."""

    def __init__(self, client: Client, informers: SharedInformers, *, clock: Clock = system_clock) -> None:
        self._client = client
        self._clock = clock
        self._queue: WorkQueue[str] = WorkQueue("namespace", self._reconcile)
        self._namespaces = informers[NAMESPACES]
        self._namespaces.listen(self._namespace_changed)
        informers[PODS].listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and is_being_deleted(new):
            self._queue.add(new["metadata"]["name"])

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """Pods are what a namespace waits for: they are given time to end."""
        if new is None and old is not None:
            namespace = self._namespaces.get("", old["metadata"]["namespace"])
            if namespace is not None:
                self._namespace_changed(None, namespace)

    async def _reconcile(self, name: str) -> None:
        namespace = self._namespaces.get("", name)
        if namespace is None or not is_being_deleted(namespace):
            return
        finalizers = (namespace.get("spec") or {}).get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        remaining = await self._empty(name)
        namespace = await self._report(namespace, remaining)
        if remaining:
            self._queue.add_after(name, LOOK_AGAIN_SECONDS)
            return
        spec = {**(namespace.get("spec") or {}), "finalizers": [each for each in finalizers if each != FINALIZER]}
        await self._client.update(NAMESPACES, {**namespace, "spec": spec}, subresource="finalize")

    async def _empty(self, name: str) -> dict[Resource, list[Object]]:
        """Delete everything; answers what is still there afterwards.

        Pods first, and nothing else before the last of them has ended: they may lean on what is around them (KEP-5080).
        Events last, as the others' ends write some.
        """
        if pods := await self._empty_of(PODS, name):
            return {PODS: pods}
        resources = await served_resources(self._client, verbs=("list", "delete"))
        namespaced = [each for each in resources if each.namespaced and each not in (PODS, EVENTS)]
        left = await asyncio.gather(*(self._empty_of(resource, name) for resource in namespaced))
        await self._empty_of(EVENTS, name)
        return {resource: objects for resource, objects in zip(namespaced, left, strict=True) if objects}

    async def _empty_of(self, resource: Resource, name: str) -> list[Object]:
        listed = (await self._client.list(resource, name)).get("items") or []
        doomed = [each for each in listed if not is_being_deleted(each)]
        if not doomed:
            return list(listed)
        await asyncio.gather(*(self._delete(resource, each) for each in doomed))
        return list((await self._client.list(resource, name)).get("items") or [])

    async def _delete(self, resource: Resource, obj: Object) -> None:
        meta = obj["metadata"]
        try:
            await self._client.delete(
                resource, meta["name"], meta["namespace"], uid=meta["uid"], propagation="Background"
            )
        except ApiError as error:
            if not is_not_found(error) and error.code != 409:
                raise

    async def _report(self, namespace: Object, remaining: dict[Resource, list[Object]]) -> Object:
        status = namespace.get("status") or {}
        wish = {**status, "conditions": conditions_of(status.get("conditions"), remaining, self._clock())}
        if wish == status:
            return namespace
        changed = await self._client.update(NAMESPACES, {**namespace, "status": wish}, subresource="status")
        self._namespaces.wrote(changed)
        return changed
