"""A local copy of a resource, kept true by list and watch.

After a lost connection or a 410 the informer lists again and tells its listeners only what really changed.

Resource versions of one resource are compared as numbers, which Kubernetes promises (KEP-5504). That is what lets
`Informer.wrote` take in the answer to a write before the watch brings it: whoever writes through a shared informer
never decides on a copy older than its own last word, and needs no list of things it still expects to see.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from kubelab.engine.client.api import Client, Object
from kubelab.engine.client.errors import ApiError
from kubelab.engine.client.resources import Resource
from kubelab.engine.client.transport import Query

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""

Listener = Callable[[Object | None, Object | None], None]
"""Called with ``(old, new)``: ``(None, obj)`` added, ``(old, new)`` changed, ``(old, None)`` gone."""

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 5.0
SHORT_WATCH_SECONDS = 1.0
"""One that brings nothing and ends sooner is not worth another at once; any other has ended as watches do."""


def key_of(obj: Object) -> Key:
    """The object's namespace and name."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def version_of(obj: Object) -> int:
    """The resource version of an object or a list, as a number; 0 when there is none."""
    return int(obj["metadata"].get("resourceVersion") or 0)


class Informer:
    """Objects handed out are shared: read them, copy before changing them."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str | None = None,
        query: Query = (),
        *,
        keep: Callable[[Object], Object] | None = None,
    ) -> None:
        """``keep`` makes of an object what is remembered of it: its metadata, and as little else as is needed."""
        self._client = client
        self._keep = keep
        self.resource = resource
        self._namespace = namespace
        self._query = query
        self._objects: dict[str, dict[str, Object]] = {}
        self._version = 0
        self._listeners: list[Listener] = []
        self._synced = asyncio.Event()
        self._retry_seconds = FIRST_RETRY_SECONDS

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` for every change from now on, and at once for all that is known already."""
        self._listeners.append(listener)
        for obj in self.all():
            listener(None, obj)

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects.get(namespace, {}).get(name)

    def all(self, namespace: str | None = None) -> list[Object]:
        """Every object (of one namespace), sorted by namespace and name."""
        namespaces = sorted(self._objects) if namespace is None else [namespace]
        return [obj for each in namespaces for _, obj in sorted(self._objects.get(each, {}).items())]

    @property
    def has_synced(self) -> bool:
        """Whether the first list has been read."""
        return self._synced.is_set()

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._synced.wait()

    def wrote(self, obj: Object) -> None:
        """Take in the answer to a create, update or patch at once, and tell the listeners.

        Older than what the watch has brought already, it is ignored; the watch's own copy later is no change.
        An informer with a query ignores it too, as it cannot tell whether the object is one of its own.
        """
        if version_of(obj) > self._version and not self._query and self._namespace in (None, key_of(obj)[0]):
            self._learn(obj)

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                listed = await self._client.list(self.resource, self._namespace, query=self._query)
                self._replace(listed.get("items") or [], version_of(listed))
                self._synced.set()
                while True:
                    await self._follow()
                    await self._pause()
            except (ApiError, OSError, ValueError) as error:
                log.debug("%s: %s; listing again", self.resource.plural, error)
                await self._pause()

    async def _pause(self) -> None:
        """Grows as long as watches end at once and bring nothing, so that the server is not hammered."""
        await asyncio.sleep(self._retry_seconds)
        self._retry_seconds = min(self._retry_seconds * 2, LONGEST_RETRY_SECONDS)

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        begin = clock()
        events = self._client.watch(
            self.resource, self._namespace, resource_version=str(self._version), query=self._query
        )
        async for kind, obj in events:
            self._retry_seconds = FIRST_RETRY_SECONDS
            self._version = version_of(obj)
            if kind == "DELETED":
                self._end(obj)
            elif kind != "BOOKMARK":
                self._learn(obj)
        if clock() - begin >= SHORT_WATCH_SECONDS:
            self._retry_seconds = FIRST_RETRY_SECONDS

    def _replace(self, items: Iterable[Object], version: int) -> None:
        if version < self._version:  # the server's history began anew: what is known says nothing about it
            for known in self.all():
                self._forget(key_of(known), known)
        self._version = version
        fresh = {key_of(obj): obj for obj in items}
        for known in self.all():
            if key_of(known) not in fresh and version_of(known) <= version:
                self._forget(key_of(known), known)
        for obj in fresh.values():
            self._learn(obj)

    def _learn(self, new: Object) -> None:
        new = self._keep(new) if self._keep else new
        namespace, name = key_of(new)
        old = self.get(namespace, name)
        if old is not None and version_of(old) >= version_of(new):
            return
        if old is not None and old["metadata"].get("uid") != new["metadata"].get("uid"):
            self._forget((namespace, name), old)  # another object of the same name: the first one has gone
            old = None
        new.setdefault("apiVersion", self.resource.api_version)  # a list's items come without
        new.setdefault("kind", self.resource.kind)
        self._objects.setdefault(namespace, {})[name] = new
        self._tell(old, new)

    def _end(self, last: Object) -> None:
        """Unless another object of that name, younger than this one's end, is known by its writer's word already."""
        known = self.get(*key_of(last))
        if known is None or version_of(known) <= version_of(last):
            self._forget(key_of(last), last)

    def _forget(self, key: Key, last: Object) -> None:
        if self._objects.get(key[0], {}).pop(key[1], None) is not None:
            self._tell(last, None)

    def _tell(self, old: Object | None, new: Object | None) -> None:
        for listener in self._listeners:
            try:
                listener(old, new)
            except Exception:
                log.exception("a listener of %s failed on %s/%s", self.resource.plural, *key_of(new or old or {}))
