"""The loop of the garbage collector.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion

*Background*: the owner goes first, its dependents when it is found to be absent. *Foreground*: the owner waits, with a
finalizer, until no dependent that blocks it is left. *Orphan*: the owner's name is taken off its dependents.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from kubelab.engine.client import ApiError, Client, Informer, Object, Resource, WorkQueue, is_not_found
from kubelab.engine.client.resources import CUSTOMRESOURCEDEFINITIONS, EVENTS
from kubelab.engine.controllers.discovery import served_resources
from kubelab.engine.controllers.garbage.graph import Graph, Node, node_of
from kubelab.engine.controllers.informers import SharedInformers

log = logging.getLogger(__name__)

ASK_AGAIN_SECONDS = 1.0


class NotServed(LookupError):
    """An owner is of a kind that the API does not know, so nobody can say whether it is there."""


class GarbageCollector:
    """Watches every resource that can be deleted, custom ones as they come and go.

    Events are left out: they have no owners and are many.
    """

    def __init__(self, client: Client, informers: SharedInformers) -> None:
        self._client = client
        self._informers = informers
        self._graph = Graph()
        self._watched: set[Resource] = set()
        self._by_kind: dict[tuple[str, str], Resource] = {}
        self._served_changed = asyncio.Event()
        self._undecided: set[str] = set()
        """Objects with an owner of a kind that is not served: judged again when what is served changes."""
        self._queue: WorkQueue[str] = WorkQueue("garbage collector", self._reconcile)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._informers.synced(await self._watch_what_is_served())
        definitions: Informer = self._informers[CUSTOMRESOURCEDEFINITIONS]
        definitions.listen(lambda old, new: self._served_changed.set())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._follow_definitions())

    async def _follow_definitions(self) -> None:
        while True:
            await self._served_changed.wait()
            self._served_changed.clear()
            await self._watch_what_is_served()

    async def _watch_what_is_served(self) -> set[Resource]:
        """Begin to watch what is new, leave what is gone; answers what is new."""
        served = {each for each in await self._discover() if each != EVENTS}
        new, gone = served - self._watched, self._watched - served
        self._watched = served
        for resource in new:
            self._by_kind[resource.group, resource.kind] = resource
            informer: Informer = self._informers[resource]
            informer.listen(partial(self._changed, resource))
        for resource in gone:  # stays known by its kind: an owner whose kind is not served any more is absent
            self._informers.drop(resource)
            for node in [each for each in self._graph.nodes.values() if each.resource == resource]:
                self._gone(node)
        for uid in list(self._undecided) if new else ():
            self._queue.add(uid)
        return new

    async def _discover(self) -> list[Resource]:
        while True:
            try:
                return await served_resources(self._client, verbs=("list", "watch", "delete"))
            except (ApiError, OSError):
                await asyncio.sleep(ASK_AGAIN_SECONDS)

    def _changed(self, resource: Resource, old: Object | None, new: Object | None) -> None:
        before = self._graph.nodes.get((new or old or {})["metadata"]["uid"])
        if new is None:
            assert old is not None
            self._gone(before or node_of(resource, old))
            return
        node = node_of(resource, new)
        self._graph.put(node)
        if node == before or not (node.owners or node.finalizers or before):
            return
        self._queue.add(node.uid)
        for owner in {each["uid"] for each in (*node.owners, *(before.owners if before else ()))}:
            self._wake_waiting(owner)

    def _gone(self, node: Node) -> None:
        self._graph.drop(node.uid)
        self._undecided.discard(node.uid)
        for dependent in self._graph.dependents(node.uid):
            self._queue.add(dependent.uid)
        for owner in node.owners:
            self._wake_waiting(owner["uid"])

    def _wake_waiting(self, uid: str) -> None:
        owner = self._graph.nodes.get(uid)
        if owner is not None and owner.deleting:
            self._queue.add(uid)

    async def _reconcile(self, uid: str) -> None:
        node = self._graph.nodes.get(uid)
        if node is None:
            return
        if node.orphans_dependents:
            await self._orphan(node)
        elif node.deletes_dependents_first:
            await self._wait_for_dependents(node)
        if node.owners and not node.deleting:
            await self._judge(node)

    async def _judge(self, node: Node) -> None:
        """By its owners; one whose owner is of an unknown kind stays, and is told of once."""
        try:
            await self._check_owners(node)
        except NotServed as error:
            if node.uid not in self._undecided:
                log.warning("garbage collector: %s", error)
            self._undecided.add(node.uid)
        else:
            self._undecided.discard(node.uid)

    async def _orphan(self, node: Node) -> None:
        for dependent in self._graph.dependents(node.uid):
            await self._drop_owners(dependent, {node.uid})
        await self._drop_finalizer(node, "orphan")

    async def _wait_for_dependents(self, node: Node) -> None:
        blocking = [each for each in self._graph.dependents(node.uid) if node.is_blocked_by(each)]
        if not blocking:
            await self._drop_finalizer(node, "foregroundDeletion")
        for each in self._graph.dependents(node.uid):
            if not each.deleting:
                self._queue.add(each.uid)

    async def _check_owners(self, node: Node) -> None:
        present: list[Object] = []
        waiting: list[Object] = []
        absent: list[Object] = []
        for owner in node.owners:
            found = await self._owner(node, owner)
            group = absent if found is None else waiting if found.deletes_dependents_first else present
            group.append(owner)
        if present:
            if absent or waiting:
                await self._drop_owners(node, {owner["uid"] for owner in (*absent, *waiting)})
        elif waiting and self._graph.dependents(node.uid):
            await self._unblock_circle(node)
            await self._delete(node, "Foreground")
        else:
            await self._delete(node, "Background")

    async def _owner(self, node: Node, reference: Object) -> Node | None:
        """The owner, as known or, if it is not known, as the API says at this moment; None when it is not there."""
        known = self._graph.nodes.get(reference["uid"])
        if known is not None:
            # A namespaced owner owns within its namespace only.
            return known if known.namespace in ("", node.namespace) else None
        group = reference["apiVersion"].rpartition("/")[0]
        resource = self._by_kind.get((group, reference["kind"]))
        if resource is None:
            raise NotServed(
                f"{node.resource.plural} {node.namespace}/{node.name} has an owner of kind {reference['kind']} "
                f"({reference['apiVersion']}), which the API does not serve; it is kept"
            )
        try:
            obj = await self._client.get(resource, reference["name"], node.namespace or None)
        except ApiError as error:
            if is_not_found(error):
                return None
            raise
        return node_of(resource, obj) if obj["metadata"]["uid"] == reference["uid"] else None

    async def _unblock_circle(self, node: Node) -> None:
        """Objects that own each other would wait for each other for ever."""
        if any(each.deletes_dependents_first for each in self._graph.dependents(node.uid)):
            owners = [{**each, "blockOwnerDeletion": False} for each in node.owners]
            await self._patch(node, {"ownerReferences": owners})

    async def _drop_owners(self, node: Node, uids: set[str]) -> None:
        left = [owner for owner in node.owners if owner["uid"] not in uids]
        await self._patch(node, {"ownerReferences": left or None})

    async def _drop_finalizer(self, node: Node, name: str) -> None:
        fresh = await self._get(node)
        if fresh is None:
            return
        meta = fresh["metadata"]
        left = [each for each in meta.get("finalizers") or () if each != name]
        await self._patch(node, {"finalizers": left or None, "resourceVersion": meta["resourceVersion"]})

    async def _get(self, node: Node) -> Object | None:
        try:
            fresh = await self._client.get(node.resource, node.name, node.namespace or None)
        except ApiError as error:
            if is_not_found(error):
                return None
            raise
        return fresh if fresh["metadata"]["uid"] == node.uid else None

    async def _patch(self, node: Node, metadata: Object) -> None:
        patch = {"metadata": {"uid": node.uid, **metadata}}
        try:
            await self._client.patch(node.resource, node.name, patch, node.namespace or None)
        except ApiError as error:
            if not is_not_found(error):
                raise

    async def _delete(self, node: Node, propagation: str) -> None:
        """Its own finalizers say how, if it has been deleted that way before."""
        if "orphan" in node.finalizers:
            propagation = "Orphan"
        elif "foregroundDeletion" in node.finalizers:
            propagation = "Foreground"
        try:
            await self._client.delete(
                node.resource, node.name, node.namespace or None, uid=node.uid, propagation=propagation
            )
        except ApiError as error:
            if not is_not_found(error) and error.code != 409:
                raise
