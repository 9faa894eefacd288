"""Who depends on whom, by uid."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from kubelab.engine.client import Object, Resource


class Node(NamedTuple):
    """One object as the garbage collector sees it."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    owners: tuple[Object, ...]
    finalizers: frozenset[str]
    deleting: bool

    @property
    def deletes_dependents_first(self) -> bool:
        """Whether it waits, in foreground deletion, for its dependents to go first."""
        return self.deleting and "foregroundDeletion" in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        """Whether it is going and its dependents are to stay."""
        return self.deleting and "orphan" in self.finalizers

    def is_blocked_by(self, dependent: Node) -> bool:
        """Whether the end of this owner has to wait for that dependent."""
        return any(each["uid"] == self.uid and each.get("blockOwnerDeletion") for each in dependent.owners)


def node_of(resource: Resource, obj: Object) -> Node:
    """Read what matters from an object."""
    meta = obj["metadata"]
    return Node(
        resource,
        meta.get("namespace", ""),
        meta["name"],
        meta["uid"],
        tuple(meta.get("ownerReferences") or ()),
        frozenset(meta.get("finalizers") or ()),
        bool(meta.get("deletionTimestamp")),
    )


@dataclass
class Graph:
    """All objects and, for each uid that is somebody's owner, the uids of its dependents."""

    nodes: dict[str, Node] = field(default_factory=dict)
    _dependents: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def put(self, node: Node) -> None:
        """Add the object, or bring it up to date."""
        self.drop(node.uid)
        self.nodes[node.uid] = node
        for owner in node.owners:
            self._dependents[owner["uid"]].add(node.uid)

    def drop(self, uid: str) -> None:
        """Forget the object; its dependents keep pointing at it."""
        node = self.nodes.pop(uid, None)
        for owner in node.owners if node else ():
            left = self._dependents[owner["uid"]]
            left.discard(uid)
            if not left:
                del self._dependents[owner["uid"]]

    def dependents(self, uid: str) -> list[Node]:
        """The objects that name ``uid`` as an owner."""
        return [self.nodes[each] for each in sorted(self._dependents.get(uid, ()))]
