"""How a controller makes and deletes its pods, and tells so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from kubelab.engine.client import ApiError, Client, Informer, Object, Resource, is_not_found
from kubelab.engine.client.resources import PODS
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.owners import controller_reference, is_being_deleted


class Words(NamedTuple):
    """What the Events say, with ``{pod}``, ``{owner}`` and ``{error}``."""

    created: str = "Created pod: {pod}"
    not_created: str = "Error creating: {error}"
    deleted: str = "Deleted pod: {pod}"
    not_deleted: str = "Error deleting: {error}"


class PodControl:
    """Creates and deletes pods for their owners, with Events.

    What it has created the informer knows at once (`Informer.wrote`), and what it has deleted it does not count again
    (`seen`): so a controller never makes a pod too many nor takes one too many, however late the watch is.
    """

    def __init__(self, client: Client, pods: Informer, events: BackgroundEvents, words: Words | None = None) -> None:
        self._client = client
        self._pods = pods
        self._events = events
        self._words = words or Words()
        self._deleted: set[str] = set()
        pods.listen(self._pod_changed)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            self._deleted.discard(old["metadata"]["uid"])

    def seen(self, pods: Sequence[Object]) -> list[Object]:
        """The pods, those that were deleted here as being deleted, although the watch may not know yet."""
        return [_as_deleted(pod) if pod["metadata"]["uid"] in self._deleted else pod for pod in pods]

    async def create(self, owner: Object, pod: Object) -> Object:
        """Create; answers the pod as stored. Raises `ApiError`, of which an Event has told then."""
        try:
            made = await self._client.create(PODS, pod)
        except ApiError as error:
            if not namespace_is_ending(error):
                name = pod["metadata"].get("name", "")
                self._tell(owner, "FailedCreate", self._words.not_created, name, error.message)
            raise
        self._pods.wrote(made)
        self._tell(owner, "SuccessfulCreate", self._words.created, made["metadata"]["name"])
        return made

    async def delete(self, owner: Object, pod: Object) -> None:
        """Delete that very pod, unless it is on its way out or gone. Raises `ApiError` as `create` does."""
        meta = pod["metadata"]
        if is_being_deleted(pod) or meta["uid"] in self._deleted:
            return
        try:
            await self._client.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        except ApiError as error:
            if is_not_found(error) or error.code == 409:  # gone already, or another pod of that name
                return
            self._tell(owner, "FailedDelete", self._words.not_deleted, meta["name"], error.message)
            raise
        if self._pods.get(meta["namespace"], meta["name"]) is not None:
            self._deleted.add(meta["uid"])
        self._tell(owner, "SuccessfulDelete", self._words.deleted, meta["name"])

    def _tell(self, owner: Object, reason: str, words: str, pod: str, error: str = "") -> None:
        message = words.format(pod=pod, owner=owner["metadata"]["name"], error=error)
        self._events.record(owner, reason, message, warning=bool(error))


def pod_of(owner: Object, resource: Resource, template: Object) -> Object:
    """A pod as the template has it, owned, for the API to name."""
    meta = owner["metadata"]
    kept = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    return {
        "metadata": {
            **{name: kept[name] for name in ("labels", "annotations", "finalizers") if name in kept},
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "ownerReferences": [controller_reference(owner, resource)],
        },
        "spec": template["spec"],
    }


async def in_batches(calls: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """One call, then two, four, eight … at once: what the API refuses it refuses only a few times."""
    done, batch = 0, 1
    while done < len(calls):
        await at_once(*(call() for call in calls[done : done + batch]))
        done += batch
        batch *= 2


async def at_once(*calls: Awaitable[object]) -> None:
    """Every call to its end; then the first error, if there was any."""
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(answer, BaseException):
            raise answer


def namespace_is_ending(error: ApiError) -> bool:
    """Whether something was refused because its namespace is being deleted: nobody needs to be told."""
    causes = (error.status.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _as_deleted(pod: Object) -> Object:
    meta = pod["metadata"]
    return {**pod, "metadata": {"deletionTimestamp": meta["creationTimestamp"], **meta}}
