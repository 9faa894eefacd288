"""The loop of the Endpoints controller."""

from __future__ import annotations

from kubelab.engine.client import ApiError, Client, Key, Object, WorkQueue, is_not_found, key_of
from kubelab.engine.client.resources import ENDPOINTS, PODS, SERVICES
from kubelab.engine.controllers.endpoints.services import is_managed, services_of, what_matters
from kubelab.engine.controllers.endpoints.subsets import MANAGED_BY_LABEL, MANAGER, endpoints_for
from kubelab.engine.controllers.endpoints.trigger import ANNOTATION, TriggerTimes, triggered
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import annotations_of, labels_of, map_selects
from kubelab.engine.controllers.owners import is_being_deleted


class EndpointsController:
    """Keeps the Endpoints of every Service that has a selector."""

    def __init__(self, client: Client, informers: SharedInformers) -> None:
        self._client = client
        self._queue: WorkQueue[Key] = WorkQueue("endpoints", self._reconcile)
        self._triggers = TriggerTimes()
        self._services = informers[SERVICES]
        self._pods = informers[PODS]
        self._endpoints = informers[ENDPOINTS]
        self._services.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._endpoints.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._pods.listen(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if what_matters(old) != what_matters(new):
            for key in services_of(self._services, (old, new)):
                self._queue.add(key)

    async def _reconcile(self, key: Key) -> None:
        namespace = key[0]
        service, known = self._services.get(*key), self._endpoints.get(*key)
        if service is None:
            self._triggers.forget(key)
            # Endpoints that people wrote for no Service are theirs to keep.
            if known is not None and labels_of(known).get(MANAGED_BY_LABEL) == MANAGER:
                await self._delete(known)
            return
        if not is_managed(service) or is_being_deleted(service):
            return
        pods = [pod for pod in self._pods.all(namespace) if map_selects(service["spec"]["selector"], labels_of(pod))]
        wish, since = endpoints_for(service, pods, known), self._triggers.of(service, pods)
        if known is None:
            self._endpoints.wrote(await self._client.create(ENDPOINTS, triggered(wish, since)))
        elif _said(wish) != _said(known):
            self._endpoints.wrote(await self._client.update(ENDPOINTS, triggered(wish, since)))

    async def _delete(self, known: Object) -> None:
        meta = known["metadata"]
        try:
            await self._client.delete(ENDPOINTS, meta["name"], meta["namespace"], uid=meta["uid"])
        except ApiError as error:
            if not is_not_found(error) and error.code != 409:
                raise


def _said(endpoints: Object) -> tuple[list[Object], dict[str, str], dict[str, str]]:
    annotations = {key: value for key, value in annotations_of(endpoints).items() if key != ANNOTATION}
    return endpoints.get("subsets") or [], labels_of(endpoints), annotations
