"""The objects of the Gateway API, whose kinds come and go with their definitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kubelab.engine.client import Client, Informer, Object, Resource
from kubelab.engine.client.resources import (
    CUSTOMRESOURCEDEFINITIONS,
    GATEWAYCLASSES,
    GATEWAYS,
    HTTPROUTES,
    NAMESPACES,
    REFERENCEGRANTS,
)

GROUP = GATEWAYS.group
BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version"
"""The annotation by which a definition says of which release it is."""

_DEFINED = (GATEWAYCLASSES, GATEWAYS, HTTPROUTES, REFERENCEGRANTS)


class Kinds:
    """Follows the kinds that are defined, and the namespaces when there are any. Run it with ``await run()``."""

    def __init__(self, client: Client, changed: Callable[[Object | None, Object | None], None]) -> None:
        """``changed`` is a listener of every informer; called with nothing, what is known at all has changed."""
        self._client = client
        self._changed = changed
        self._definitions = Informer(client, CUSTOMRESOURCEDEFINITIONS, keep=_name_and_versions)
        self._news = asyncio.Event()
        self._known_once = asyncio.Event()
        self._informers: dict[str, tuple[Informer, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._definitions.run())
            await self._definitions.synced()
            self._definitions.listen(lambda old, new: self._news.set())
            self._definitions.listen(self._changed)
            while True:
                self._news.clear()
                self._follow_defined(group)
                self._learned()
                await self._news.wait()

    async def synced(self) -> None:
        """Wait until all that is defined has been read for the first time."""
        await self._known_once.wait()

    @property
    def known(self) -> bool:
        """Whether it is known what there is: without it, an object that is not here may have been missed only."""
        if not self._definitions.has_synced or self._news.is_set():
            return False
        started = {each.kind for each in self._wanted()} == self._informers.keys()
        return started and all(informer.has_synced for informer, _ in self._informers.values())

    def informer(self, kind: str) -> Informer | None:
        """None for a kind that is not defined."""
        found = self._informers.get(kind)
        return found[0] if found else None

    def all(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        informer = self.informer(kind)
        return informer.all() if informer else []

    def versions(self) -> set[str]:
        """The releases of which the API's definitions are; empty text for one that does not say."""
        annotations = (each["metadata"].get("annotations") or {} for each in self._ours())
        return {each.get(BUNDLE_VERSION, "") for each in annotations}

    def _ours(self) -> list[Object]:
        return [each for each in self._definitions.all() if each["spec"]["group"] == GROUP]

    def _wanted(self) -> list[Resource]:
        served = {each["spec"]["plural"] for each in self._ours() if GATEWAYS.version in each["spec"]["versions"]}
        found = [each for each in _DEFINED if each.plural in served]
        return [*found, NAMESPACES] if found else []

    def _follow_defined(self, group: asyncio.TaskGroup) -> None:
        wanted = {each.kind: each for each in self._wanted()}
        for kind in self._informers.keys() - wanted.keys():
            self._informers.pop(kind)[1].cancel()
        for kind in wanted.keys() - self._informers.keys():
            informer = Informer(self._client, wanted[kind])
            informer.listen(self._changed)
            self._informers[kind] = informer, group.create_task(self._follow(informer))

    async def _follow(self, informer: Informer) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(informer.run())
            await informer.synced()
            self._learned()

    def _learned(self) -> None:
        if self.known:
            self._known_once.set()
        self._changed(None, None)


def _name_and_versions(definition: Object) -> Object:
    """Schemas are large, and the API server's business."""
    meta, spec = definition["metadata"], definition["spec"]
    served = [each["name"] for each in spec["versions"] if each["served"]]
    keep = {name: meta[name] for name in ("name", "uid", "resourceVersion", "annotations") if name in meta}
    annotations = keep.get("annotations") or {}
    keep["annotations"] = {BUNDLE_VERSION: annotations[BUNDLE_VERSION]} if BUNDLE_VERSION in annotations else {}
    return {"metadata": keep, "spec": {"group": spec["group"], "plural": spec["names"]["plural"], "versions": served}}
