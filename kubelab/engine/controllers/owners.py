"""Who manages whom: owner references, adoption and release.

https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kubelab.engine.client import ApiError, Client, Informer, Key, Object, Resource, is_not_found, key_of
from kubelab.engine.controllers.labels import labels_of, selects


def controller_of(obj: Object) -> Object | None:
    """The owner reference of the one controller that manages the object, or None."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), None)


def is_controlled_by(obj: Object, owner: Object) -> bool:
    """Whether ``owner`` itself, not one of the same name, manages the object."""
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def concerned(owners: Informer, old: Object | None, new: Object | None) -> Iterator[Key]:
    """The keys of ``owners`` whom a change concerns: who managed the object or does, else who may adopt it."""
    for obj in filter(None, (old, new)):
        reference, namespace = controller_of(obj), obj["metadata"]["namespace"]
        if reference is None:
            for owner in owners.all(namespace):
                if selects(owner["spec"].get("selector"), labels_of(obj)):
                    yield key_of(owner)
        elif reference["kind"] == owners.resource.kind:
            yield namespace, reference["name"]


def controller_reference(owner: Object, resource: Resource) -> Object:
    """The reference that makes ``owner`` the controller of an object, whose end waits for the object's end."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_being_deleted(obj: Object) -> bool:
    """Whether the object has a ``deletionTimestamp``."""
    return bool(obj["metadata"].get("deletionTimestamp"))


async def claim(
    client: Client,
    owner: Object,
    owner_resource: Resource,
    objects: Informer,
    *,
    belongs: Callable[[Object], bool] = lambda obj: True,
) -> list[Object]:
    """The objects that ``owner`` manages by its selector and, if that is not all there is to it, by ``belongs``.

    Takes in orphans that match and lets go of its own that no longer do. An owner that is being deleted, or has
    been replaced by another of its name, adopts nothing.
    """
    claimed = []
    may_adopt: bool | None = None
    for obj in objects.all(owner["metadata"]["namespace"]):
        matches = selects(owner["spec"].get("selector"), labels_of(obj)) and belongs(obj)
        reference = controller_of(obj)
        if reference is not None:
            if reference["uid"] != owner["metadata"]["uid"]:
                continue
            if matches:
                claimed.append(obj)
            elif not is_being_deleted(owner):
                await _release(client, owner, obj, objects)
        elif matches and not is_being_deleted(obj) and not is_being_deleted(owner):
            if may_adopt is None:
                may_adopt = await _is_alive(client, owner, owner_resource)
            adopted = await _adopt(client, owner, owner_resource, obj, objects) if may_adopt else None
            if adopted is not None:
                claimed.append(adopted)
    return claimed


async def _is_alive(client: Client, owner: Object, resource: Resource) -> bool:
    """Asked of the API itself: adopting for an owner that has gone would have the object collected with it."""
    meta = owner["metadata"]
    try:
        fresh = await client.get(resource, meta["name"], meta["namespace"])
    except ApiError as error:
        if is_not_found(error):
            return False
        raise
    return fresh["metadata"]["uid"] == meta["uid"] and not is_being_deleted(fresh)


async def _adopt(
    client: Client, owner: Object, owner_resource: Resource, obj: Object, objects: Informer
) -> Object | None:
    others = obj["metadata"].get("ownerReferences") or []
    return await _set_owners(client, obj, [*others, controller_reference(owner, owner_resource)], objects)


async def _release(client: Client, owner: Object, obj: Object, objects: Informer) -> None:
    others = [each for each in obj["metadata"]["ownerReferences"] if each["uid"] != owner["metadata"]["uid"]]
    await _set_owners(client, obj, others or None, objects)


async def _set_owners(client: Client, obj: Object, owners: list[Object] | None, objects: Informer) -> Object | None:
    meta = obj["metadata"]
    patch = {"metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "ownerReferences": owners}}
    try:
        changed = await client.patch(objects.resource, meta["name"], patch, meta["namespace"])
    except ApiError as error:
        if is_not_found(error):
            return None
        raise
    objects.wrote(changed)
    return changed
