"""What the template of a DaemonSet or a StatefulSet was: its ControllerRevisions.

A revision holds a patch that brings the template back; `kubectl rollout history` and `kubectl rollout undo` read it.
https://kubernetes.io/docs/tasks/manage-daemon/rollback-daemon-set/#understanding-daemonset-revisions
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from kubelab.engine.client import ApiError, Client, Object, Resource, already_exists, is_conflict, is_not_found
from kubelab.engine.client.resources import CONTROLLERREVISIONS
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import annotations_of, labels_of
from kubelab.engine.controllers.owners import claim, controller_reference, is_controlled_by
from kubelab.engine.controllers.templates import template_hash

REVISION_LABEL = "controller-revision-hash"
"""On a pod: of which revision it is."""


class Revisions(NamedTuple):
    """``current`` is that of the template as it is now; ``collisions`` is for the owner's status, None for none."""

    current: Object
    olds: list[Object]
    collisions: int | None


class History:
    """Keeps the revisions of one kind of owner. ``hash_label`` is where a revision notes its hash."""

    def __init__(self, client: Client, informers: SharedInformers, owners: Resource, hash_label: str) -> None:
        self._client = client
        self._owners = owners
        self._hash_label = hash_label
        self._revisions = informers[CONTROLLERREVISIONS]

    async def sync(self, owner: Object) -> Revisions:
        """The revisions of the owner; that of its template is made if need be, and is always the highest."""
        known = await claim(self._client, owner, self._owners, self._revisions)
        data = data_of(owner["spec"]["template"])
        same = sorted((each for each in known if each["data"] == data), key=number_of)
        olds = [each for each in known if each["data"] != data]
        number = max(map(number_of, olds), default=0) + 1
        collisions = (owner.get("status") or {}).get("collisionCount")
        if not same:
            current, collisions = await self._create(owner, data, number, collisions)
        elif number_of(same[-1]) < number:
            current = await self._client.update(CONTROLLERREVISIONS, {**same[-1], "revision": number})
            self._revisions.wrote(current)
        else:
            current = same[-1]
        return Revisions(current, sorted(olds, key=number_of), collisions)

    async def _create(
        self, owner: Object, data: Object, number: int, collisions: int | None
    ) -> tuple[Object, int | None]:
        """A name that another template of the same hash has taken is a collision: then another hash."""
        while True:
            wish = self._revision(owner, data, number, collisions)
            try:
                made = await self._client.create(CONTROLLERREVISIONS, wish)
            except ApiError as error:
                if not already_exists(error):
                    raise
                made = await self._client.get(
                    CONTROLLERREVISIONS, wish["metadata"]["name"], owner["metadata"]["namespace"]
                )
                if made["data"] != data or not is_controlled_by(made, owner):
                    collisions = (collisions or 0) + 1
                    continue
            self._revisions.wrote(made)
            return made, collisions

    def _revision(self, owner: Object, data: Object, number: int, collisions: int | None) -> Object:
        meta, template = owner["metadata"], owner["spec"]["template"]
        hashed = template_hash(template, collisions)
        return {
            "metadata": {
                "name": f"{meta['name']}-{hashed}",
                "namespace": meta["namespace"],
                "labels": {**labels_of({"metadata": template.get("metadata") or {}}), self._hash_label: hashed},
                "annotations": annotations_of(owner),
                "ownerReferences": [controller_reference(owner, self._owners)],
            },
            "data": data,
            "revision": number,
        }

    async def clean_up(self, owner: Object, olds: Sequence[Object], live: Container[str]) -> None:
        """Delete the earliest of the old revisions beyond the limit; not those with a name in ``live``."""
        limit = owner["spec"].get("revisionHistoryLimit", 10)
        dead = [each for each in olds if each["metadata"]["name"] not in live]
        for each in dead[: max(0, len(dead) - limit)]:
            meta = each["metadata"]
            try:
                await self._client.delete(CONTROLLERREVISIONS, meta["name"], meta["namespace"], uid=meta["uid"])
            except ApiError as error:
                if not (is_not_found(error) or is_conflict(error)):
                    raise


def number_of(revision: Object) -> int:
    """Its place in the history, from 1."""
    return int(revision.get("revision", 0))


def data_of(template: Object) -> Object:
    """What a revision of that template holds: a strategic merge patch for its owner, its members sorted by name."""
    return {"spec": {"template": _sorted({"$patch": "replace", **template})}}


def template_of(revision: Object) -> Object:
    """The template that a revision holds."""
    return {key: value for key, value in revision["data"]["spec"]["template"].items() if key != "$patch"}


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value
