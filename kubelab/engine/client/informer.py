"""A local copy of a resource, kept true by list and watch.

After a lost connection or a 410 the informer lists again and tells its listeners only what really changed.
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


def key_of(obj: Object) -> Key:
    """The object's namespace and name."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


class Informer:
    """Objects handed out are shared: read them, copy before changing them."""

    def __init__(self, client: Client, resource: Resource, namespace: str | None = None, query: Query = ()) -> None:
        self._client = client
        self.resource = resource
        self._namespace = namespace
        self._query = query
        self._objects: dict[Key, Object] = {}
        self._listeners: list[Listener] = []
        self._synced = asyncio.Event()

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` for every change from now on, and at once for all that is known already."""
        self._listeners.append(listener)
        for obj in self._objects.values():
            listener(None, obj)

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects.get((namespace, name))

    def all(self, namespace: str | None = None) -> list[Object]:
        """Every object (of one namespace), sorted by namespace and name."""
        return [obj for key, obj in sorted(self._objects.items()) if namespace in (None, key[0])]

    @property
    def has_synced(self) -> bool:
        """Whether the first list has been read."""
        return self._synced.is_set()

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled."""
        retry = FIRST_RETRY_SECONDS
        while True:
            try:
                listed = await self._client.list(self.resource, self._namespace, query=self._query)
                self._replace(listed.get("items") or [])
                self._synced.set()
                retry = FIRST_RETRY_SECONDS
                await self._follow(listed["metadata"]["resourceVersion"])
            except (TimeoutError, ApiError, OSError, ValueError) as error:
                log.debug("%s: %s; listing again in %.2f s", self.resource.plural, error, retry)
                await asyncio.sleep(retry)
                retry = min(retry * 2, LONGEST_RETRY_SECONDS)

    async def _follow(self, version: str) -> None:
        while True:
            async for kind, obj in self._client.watch(
                self.resource, self._namespace, resource_version=version, query=self._query
            ):
                version = obj["metadata"]["resourceVersion"]
                if kind == "DELETED":
                    self._change(key_of(obj), None, last=obj)
                elif kind != "BOOKMARK":
                    self._change(key_of(obj), obj)

    def _replace(self, items: Iterable[Object]) -> None:
        fresh = {key_of(obj): obj for obj in items}
        for key in [key for key in self._objects if key not in fresh]:
            self._change(key, None)
        for key, obj in fresh.items():
            known = self._objects.get(key)
            if known is None or known["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
                self._change(key, obj)

    def _change(self, key: Key, new: Object | None, last: Object | None = None) -> None:
        old = self._objects.pop(key, None) if new is None else self._objects.get(key)
        if new is not None:
            self._objects[key] = new
        elif old is None:
            return
        for listener in self._listeners:
            try:
                listener(last or old if new is None else old, new)
            except Exception:
                log.exception("a listener of %s failed on %s/%s", self.resource.plural, *key)
