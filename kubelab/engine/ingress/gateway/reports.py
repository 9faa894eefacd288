"""Writes the status of the Gateway API's objects, when it is another one than what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kubelab.engine.client import Client, Object, WorkQueue
from kubelab.engine.ingress.gateway.kinds import Kinds
from kubelab.routing.model import ObjectName


class Word(NamedTuple):
    """What is to be said of an object."""

    generation: int
    """Of the object that was judged; a newer one is judged anew."""
    status: Callable[[Object], Object]
    """The whole status of the object, given as it stands."""


class Reports:
    """Run it with ``await run()``."""

    def __init__(self, client: Client, kinds: Kinds) -> None:
        self._client = client
        self._kinds = kinds
        self._words: Mapping[ObjectName, Word] = {}
        self._queue: WorkQueue[ObjectName] = WorkQueue("status of Gateway API objects", self._tell, workers=2)

    async def run(self) -> None:
        """Write until cancelled."""
        await self._queue.run()

    def update(self, words: Mapping[ObjectName, Word]) -> None:
        """This is what is to be said now."""
        self._words = words
        for name in words:
            if self._news(name) is not None:
                self._queue.add(name)

    def _news(self, name: ObjectName) -> Object | None:
        """The object with the status that it should have; None when it has it."""
        informer, word = self._kinds.informer(name.kind), self._words.get(name)
        obj = informer.get(name.namespace, name.name) if informer else None
        if obj is None or word is None or obj["metadata"].get("generation", 0) != word.generation:
            return None
        status = word.status(obj)
        return {**obj, "status": status} if status != (obj.get("status") or {}) else None

    async def _tell(self, name: ObjectName) -> None:
        informer, new = self._kinds.informer(name.kind), self._news(name)
        if informer is not None and new is not None:
            informer.wrote(await self._client.update(informer.resource, new, subresource="status"))
