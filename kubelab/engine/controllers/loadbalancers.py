"""Addresses for Services of type LoadBalancer, as a cloud's service controller hands them out.

The address stays with its Service until that is deleted or becomes another type; a finalizer keeps the object until
the address is free again. Services with a ``loadBalancerClass`` belong to somebody else. Who carries the traffic is
`kubelab.engine.balancer`.

https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
"""

from __future__ import annotations

import asyncio

from kubelab.engine.client import Client, Key, Object, WorkQueue, key_of
from kubelab.engine.client.resources import SERVICES
from kubelab.engine.config import LOAD_BALANCER_CIDR
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.owners import is_being_deleted

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
RETRY_SECONDS = 5.0
"""Until a Service that got no address is looked at again."""


class NoAddress(Exception):
    """The Service cannot have an address now; the message says why."""


class LoadBalancerController:
    """Gives and takes addresses, one Service at a time."""

    def __init__(self, client: Client, informers: SharedInformers) -> None:
        self._client = client
        self._events = BackgroundEvents(client, "service-controller")
        # One worker: two Services must not choose the same free address.
        self._queue: WorkQueue[Key] = WorkQueue("load balancers", self._reconcile, workers=1)
        self._services = informers[SERVICES]
        self._services.listen(self._changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and (wants_address(new) or _has_finalizer(new)):
            self._queue.add(key_of(new))

    async def _reconcile(self, key: Key) -> None:
        service = self._services.get(*key)
        if service is not None and wants_address(service):
            await self._give(service)
        elif service is not None and _has_finalizer(service):
            await self._take(service)

    async def _give(self, service: Object) -> None:
        try:
            wanted = choose(service, self._services.all())
        except NoAddress as why:
            message = f"Error syncing load balancer: failed to ensure load balancer: {why}"
            self._events.record(service, "SyncLoadBalancerFailed", message, warning=True)
            self._queue.add_after(key_of(service), RETRY_SECONDS)
            return
        if addresses_of(service) == [wanted] and _has_finalizer(service):
            return
        self._events.record(service, "EnsuringLoadBalancer", "Ensuring load balancer")
        if not _has_finalizer(service):
            service = await self._set_finalizers(service, [*_finalizers(service), FINALIZER])
        await self._set_status(service, [{"ip": wanted, "ipMode": "VIP"}])
        self._events.record(service, "EnsuredLoadBalancer", "Ensured load balancer")

    async def _take(self, service: Object) -> None:
        self._events.record(service, "DeletingLoadBalancer", "Deleting load balancer")
        if addresses_of(service):
            service = await self._set_status(service, [])
        await self._set_finalizers(service, [each for each in _finalizers(service) if each != FINALIZER])
        self._events.record(service, "DeletedLoadBalancer", "Deleted load balancer")

    async def _set_status(self, service: Object, ingress: list[Object]) -> Object:
        meta = service["metadata"]
        patch = {"status": {"loadBalancer": {"ingress": ingress or None}}}
        changed = await self._client.patch(SERVICES, meta["name"], patch, meta["namespace"], subresource="status")
        self._services.wrote(changed)
        return changed

    async def _set_finalizers(self, service: Object, finalizers: list[str]) -> Object:
        meta = service["metadata"]
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": finalizers or None}}
        # A service controller may change a Service's status only; its metadata goes along.
        changed = await self._client.patch(SERVICES, meta["name"], patch, meta["namespace"], subresource="status")
        if finalizers or not is_being_deleted(changed):
            self._services.wrote(changed)
        return changed


def wants_address(service: Object) -> bool:
    """Whether it is a LoadBalancer of ours that is here to stay."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass") and not is_being_deleted(service)


def addresses_of(service: Object) -> list[str]:
    """The load balancer addresses that its status names."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [each["ip"] for each in ingress if each.get("ip")]


def choose(service: Object, services: list[Object]) -> str:
    """The address that is asked for, the one that it has, or the lowest free one. Raises `NoAddress`."""
    others = {ip: each for each in services if key_of(each) != key_of(service) for ip in addresses_of(each)}
    wish = service["spec"].get("loadBalancerIP")
    if wish:
        if not _in_pool(wish):
            raise NoAddress(f"{wish} is not in the pool {LOAD_BALANCER_CIDR}")
        if wish in others:
            raise NoAddress(f"{wish} is taken by Service {'/'.join(key_of(others[wish]))}")
        return str(wish)
    if current := next((ip for ip in addresses_of(service) if _in_pool(ip) and ip not in others), None):
        return current
    free = next((str(ip) for ip in LOAD_BALANCER_CIDR.hosts() if str(ip) not in others), None)
    if free is None:
        raise NoAddress(f"every address of the pool {LOAD_BALANCER_CIDR} is taken: delete a Service of this type")
    return free


def _in_pool(ip: str) -> bool:
    return ip in {str(each) for each in LOAD_BALANCER_CIDR.hosts()}


def _finalizers(service: Object) -> list[str]:
    return service["metadata"].get("finalizers") or []


def _has_finalizer(service: Object) -> bool:
    return FINALIZER in _finalizers(service)
