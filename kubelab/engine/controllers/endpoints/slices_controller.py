"""The loop of the EndpointSlice controller."""

from __future__ import annotations

import asyncio

from kubelab.engine.client import Client, Key, Object, WorkQueue, is_not_found, key_of
from kubelab.engine.client.errors import ApiError
from kubelab.engine.client.resources import ENDPOINTSLICES, NODES, PODS, SERVICES
from kubelab.engine.controllers.endpoints.packing import plan
from kubelab.engine.controllers.endpoints.services import is_managed, services_of, what_matters
from kubelab.engine.controllers.endpoints.slices import (
    MANAGED_BY_LABEL,
    MANAGER,
    SERVICE_NAME_LABEL,
    ZONE_LABEL,
    address_types,
    groups_for,
)
from kubelab.engine.controllers.endpoints.trigger import TriggerTimes, triggered
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import labels_of, map_selects
from kubelab.engine.controllers.owners import is_being_deleted


class EndpointSliceController:
    """Keeps the EndpointSlices of every Service that has a selector."""

    def __init__(self, client: Client, informers: SharedInformers) -> None:
        self._client = client
        self._events = BackgroundEvents(client, "endpoint-slice-controller")
        self._queue: WorkQueue[Key] = WorkQueue("endpointslice", self._reconcile)
        self._triggers = TriggerTimes()
        self._services = informers[SERVICES]
        self._pods = informers[PODS]
        self._nodes = informers[NODES]
        self._slices = informers[ENDPOINTSLICES]
        self._services.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._slices.listen(self._slice_changed)
        self._pods.listen(self._pod_changed)
        self._nodes.listen(self._node_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        """Somebody else may have changed or deleted one of ours."""
        labels = labels_of(new or old or {})
        if labels.get(MANAGED_BY_LABEL) == MANAGER and SERVICE_NAME_LABEL in labels:
            self._queue.add(((new or old or {})["metadata"]["namespace"], labels[SERVICE_NAME_LABEL]))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if what_matters(old) != what_matters(new):
            for key in services_of(self._services, (old, new)):
                self._queue.add(key)

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        zones = [labels_of(node).get(ZONE_LABEL, "") if node else None for node in (old, new)]
        if zones[0] != zones[1]:
            for service in self._services.all():
                self._queue.add(key_of(service))

    async def _reconcile(self, key: Key) -> None:
        namespace, name = key
        service = self._services.get(*key)
        slices = [
            each
            for each in self._slices.all(namespace)
            if labels_of(each).get(SERVICE_NAME_LABEL) == name and labels_of(each).get(MANAGED_BY_LABEL) == MANAGER
        ]
        if service is None:
            self._triggers.forget(key)
            for each in slices:
                await self._delete(each)
            return
        if not is_managed(service) or is_being_deleted(service):
            return
        pods = [pod for pod in self._pods.all(namespace) if map_selects(service["spec"]["selector"], labels_of(pod))]
        families, since = address_types(service), self._triggers.of(service, pods)
        try:
            for family in families:
                mine = [each for each in slices if each["addressType"] == family]
                await self._write(service, family, pods, mine, since)
        except ApiError as error:
            if not is_not_found(error) and error.code != 409:
                message = f"Error updating Endpoint Slices for Service {namespace}/{name}: {error.message}"
                self._events.record(service, "FailedToUpdateEndpointSlices", message, warning=True)
            raise
        for each in slices:
            if each["addressType"] not in families:
                await self._delete(each)

    async def _write(
        self, service: Object, family: str, pods: list[Object], slices: list[Object], since: str | None
    ) -> None:
        groups = groups_for(service, pods, lambda name: self._nodes.get("", name), family)
        writes = plan(service, family, groups, slices)
        for each in writes.create:
            self._slices.wrote(await self._client.create(ENDPOINTSLICES, triggered(each, since)))
        for each in writes.update:
            self._slices.wrote(await self._client.update(ENDPOINTSLICES, triggered(each, since)))
        for each in writes.delete:
            await self._delete(each)

    async def _delete(self, each: Object) -> None:
        meta = each["metadata"]
        try:
            await self._client.delete(ENDPOINTSLICES, meta["name"], meta["namespace"], uid=meta["uid"])
        except ApiError as error:
            if not is_not_found(error) and error.code != 409:
                raise
