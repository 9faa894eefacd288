"""Counts what a namespace's quotas have used; the API server charges what is new, this gives back what has gone.

https://kubernetes.io/docs/concepts/policy/resource-quotas/

A count is true although writes go on meanwhile: the quota is read before the objects are listed, and a charge in
between makes the quota another version, so that the answer is refused as stale and counted again.
"""

from __future__ import annotations

from functools import partial

from kubelab.engine.client import Client, Informer, Object, Resource, WorkQueue, key_of
from kubelab.engine.client.informer import Key
from kubelab.engine.client.resources import RESOURCEQUOTAS
from kubelab.engine.controllers.clock import Clock, system_clock
from kubelab.engine.controllers.discovery import served_resources
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.quota.amounts import Amounts, equal, only, plus
from kubelab.engine.quota.usage import belongs, names_for, resource_of, usage

COUNT_AGAIN_SECONDS = 300.0
"""What only time changes, as a pod that should have ended, is found then."""


class ResourceQuotaController:
    """Keeps ``status.hard`` and ``status.used`` of every ResourceQuota."""

    def __init__(self, client: Client, informers: SharedInformers, *, clock: Clock = system_clock) -> None:
        self._client = client
        self._informers = informers
        self._clock = clock
        self._quotas: Informer = informers[RESOURCEQUOTAS]
        self._served: dict[str, Resource] = {}
        self._followed: dict[str, Informer] = {}
        self._queue: WorkQueue[Key] = WorkQueue("quota", self._reconcile)
        self._quotas.listen(self._quota_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    def _quota_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and (old is None or old["spec"] != new["spec"]):
            self._queue.add(key_of(new))

    def _object_changed(self, name: str, old: Object | None, new: Object | None) -> None:
        """What is new has been charged already; only what uses something else than before is a reason to count."""
        if old is None:
            return
        now = self._clock()
        if new is not None and equal(usage(name, old, now), usage(name, new, now)):
            return
        for quota in self._quotas.all(old["metadata"].get("namespace", "")):
            if names_for(name, quota["spec"].get("hard") or {}):
                self._queue.add(key_of(quota))

    async def _reconcile(self, key: Key) -> None:
        quota = self._quotas.get(*key)
        if quota is None:
            return
        hard, before = quota["spec"].get("hard") or {}, quota.get("status") or {}
        used = await self._used(quota, hard)
        if not equal(before.get("hard") or {}, hard) or not equal(before.get("used") or {}, used):
            status = {"hard": hard, "used": used}
            answer = await self._client.update(RESOURCEQUOTAS, {**quota, "status": status}, subresource="status")
            self._quotas.wrote(answer)
            if before.get("hard") != hard:
                self._queue.add(key)  # what was made before there was anything to charge to
        self._queue.add_after(key, COUNT_AGAIN_SECONDS)

    async def _used(self, quota: Object, hard: Amounts) -> Amounts:
        used: Amounts = {}
        for name in sorted({resource_of(each) for each in hard}):
            resource = await self._resource(name)
            if resource is None:
                continue
            self._follow(name, resource)
            counted = names_for(name, hard)
            used |= dict.fromkeys(counted, "0")
            now = self._clock()
            listed = await self._client.list(resource, quota["metadata"]["namespace"])
            for obj in listed["items"]:
                if belongs(quota, name, obj):
                    used = plus(used, only(usage(name, obj, now), counted))
        return used

    async def _resource(self, name: str) -> Resource | None:
        """The resource that a quota names, as it is served; None when it is not, or not in namespaces."""
        if name and name not in self._served:
            served = await served_resources(self._client, verbs=("list", "watch"))
            self._served = {_qualified(each): each for each in served if each.namespaced}
        return self._served.get(name)

    def _follow(self, name: str, resource: Resource) -> None:
        informer = self._informers[resource]
        if self._followed.get(name) is not informer:
            self._followed[name] = informer
            informer.listen(partial(self._object_changed, name))


def _qualified(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural
