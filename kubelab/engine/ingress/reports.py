"""What the controller tells in the API: the address in an Ingress's status, and Events.

Nothing here delays serving: objects wait in a queue, and each is told of as soon as its turn comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from kubelab.engine.client import Client, EventRecorder, Informer, Object, WorkQueue, is_not_found
from kubelab.engine.client.resources import INGRESSES
from kubelab.engine.ingress.manifests import NAME
from kubelab.routing.model import ObjectName, Problem
from kubelab.routing.objects import name_of

Address = Mapping[str, str]
"""``{"ip": …}`` or ``{"hostname": …}``: an entry of ``status.loadBalancer.ingress``."""


class Reports:
    """Of the Ingresses that are served, and of every object with which something is wrong."""

    def __init__(self, client: Client, informers: Mapping[str, Informer]) -> None:
        """``informers``: kind → the objects that may be told of."""
        self._client = client
        self._informers = informers
        self._events = EventRecorder(client, NAME)
        self._queue: WorkQueue[ObjectName] = WorkQueue("reports", self._tell, workers=2)
        self._served: frozenset[ObjectName] = frozenset()
        self._address: list[Address] = []
        self._problems: dict[ObjectName, list[Problem]] = {}
        self._told: dict[ObjectName, set[tuple[str, str]]] = defaultdict(set)
        """What stands in an object's Events already, by UID or generation, and message."""

    async def run(self) -> None:
        """Tell until cancelled."""
        await self._queue.run()

    def update(self, served: Iterable[ObjectName], problems: Iterable[Problem], address: list[Address]) -> None:
        """This is what Envoy serves now, and the address it is reached at; empty: none yet."""
        self._served, self._address = frozenset(served), address
        by_object: dict[ObjectName, list[Problem]] = {}
        for each in problems:
            by_object.setdefault(each.origin.object, []).append(each)
        changed = {
            name for name in by_object.keys() | self._problems.keys() if by_object.get(name) != self._problems.get(name)
        }
        self._problems = by_object
        ingresses = (name_of("Ingress", each) for each in self._informers["Ingress"].all())
        for name in changed.union(ingresses):
            if name in changed or self._is_news(name):
                self._queue.add(name)

    def _is_news(self, name: ObjectName) -> bool:
        ingress = self._object(name)
        return ingress is not None and (
            self._wanted_status(name, ingress) is not None
            or (name in self._served and self._address != [] and _served_mark(ingress) not in self._told.get(name, ()))
        )

    def _object(self, name: ObjectName) -> Object | None:
        informer = self._informers.get(name.kind)
        return informer.get(name.namespace, name.name) if informer else None

    async def _tell(self, name: ObjectName) -> None:
        obj = self._object(name)
        if obj is None:
            self._told.pop(name, None)
            return
        if name.kind == "Ingress":
            await self._tell_status(name, obj)
        await self._tell_problems(name, obj)

    async def _tell_status(self, name: ObjectName, ingress: Object) -> None:
        wanted = self._wanted_status(name, ingress)
        if wanted is not None:
            patch = {"status": {"loadBalancer": {"ingress": wanted or None}}}
            try:
                changed = await self._client.patch(INGRESSES, name.name, patch, name.namespace, subresource="status")
            except Exception as error:
                if is_not_found(error):
                    return
                raise
            self._informers["Ingress"].wrote(changed)
        mark = _served_mark(ingress)
        if name in self._served and self._address and mark not in self._told[name]:
            # What a predecessor has told already is not said again.
            is_news = wanted is not None or bool(self._told[name])
            self._told[name].add(mark)
            if is_news:
                where = ", ".join(value for each in self._address for value in each.values())
                await self._events.record(ingress, "Sync", f"Served at {where}")

    def _wanted_status(self, name: ObjectName, ingress: Object) -> list[Address] | None:
        """What is to be written; None when the status is right, or somebody else's."""
        has = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if name in self._served:
            return self._address if self._address and has != self._address else None
        return [] if has and has == self._address else None

    async def _tell_problems(self, name: ObjectName, obj: Object) -> None:
        said = {("", mark) for kind, mark in self._told[name] if not kind}
        current = {(each.reason, f"{each.message} ({each.origin.field})" if each.origin.field else each.message)
                   for each in self._problems.get(name, ())}  # fmt: skip
        for reason, message in sorted(current - self._told[name]):
            await self._events.record(obj, reason, message, warning=True)
        self._told[name] = said | current


def _served_mark(ingress: Object) -> tuple[str, str]:
    meta = ingress["metadata"]
    return "", f"{meta['uid']}/{meta.get('generation', 0)}"
