"""The engine's one small client of the Kubernetes API.

Objects are plain dictionaries, as the API's JSON has them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

from kubelab.engine.client.errors import ApiError
from kubelab.engine.client.resources import Resource
from kubelab.engine.client.transport import ApiRequest, ApiResponse, Query, StreamRefused, Transport

Object = dict[str, Any]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"

MOST_RETRIES = 5
LONGEST_WAIT_SECONDS = 10.0


class Client:
    """Create, read, change, delete and watch, for any `Resource`. Every failure raises `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def by(self, carried: Callable[[Transport], Transport]) -> Client:
        """The same client, its requests carried in another way."""
        return Client(carried(self._transport))

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()

    async def send(
        self, method: str, path: str, *, body: Any = None, query: Query = (), content_type: str = JSON
    ) -> Any:
        """Any request with a JSON body and a JSON answer, for what the methods below do not cover."""
        headers = {"accept": JSON}
        payload = b""
        if body is not None:
            payload = json.dumps(body, separators=(",", ":")).encode()
            headers["content-type"] = content_type
        request = ApiRequest(method, path, query, headers, payload)
        response = await self._transport.request(request)
        for _ in range(MOST_RETRIES):
            if (seconds := _told_to_wait(response)) is None:
                break
            await asyncio.sleep(seconds)
            response = await self._transport.request(request)
        assert isinstance(response.body, bytes)
        if response.status >= 400:
            raise ApiError.from_body(response.status, response.body)
        return json.loads(response.body) if response.body else None

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        """The object, as it is now."""
        return await self.send("GET", resource.path(namespace, name))

    async def list(self, resource: Resource, namespace: str | None = None, *, query: Query = ()) -> Object:
        """The List object: ``items`` and ``metadata.resourceVersion``. All namespaces when none is named.

        Items of a list do not say their type on the wire; here they do.
        """
        listed = await self.send("GET", resource.path(namespace), query=query)
        listed["items"] = [{**_type(resource), **item} for item in listed.get("items") or []]
        return listed

    async def create(self, resource: Resource, obj: Object, namespace: str | None = None) -> Object:
        """Create; answers the object as stored."""
        namespace = namespace or obj.get("metadata", {}).get("namespace")
        return await self.send("POST", resource.path(namespace), body={**_type(resource), **obj})

    async def update(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        """Replace (PUT). With a ``resourceVersion`` in the metadata a stale one is a Conflict."""
        meta = obj["metadata"]
        path = resource.path(meta.get("namespace"), meta["name"], subresource)
        return await self.send("PUT", path, body={**_type(resource), **obj})

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
        content_type: str = MERGE_PATCH,
    ) -> Object:
        """Patch the object or its subresource, by default with a JSON merge patch."""
        path = resource.path(namespace, name, subresource)
        return await self.send("PATCH", path, body=patch, content_type=content_type)

    async def apply(self, resource: Resource, obj: Object, *, manager: str, force: bool = False) -> Object:
        """Server-side apply by a manager. Another manager's fields are a Conflict, unless ``force``."""
        path = resource.path(obj["metadata"].get("namespace"), obj["metadata"]["name"])
        query = (("fieldManager", manager), *((("force", "true"),) if force else ()))
        return await self.send("PATCH", path, body={**_type(resource), **obj}, query=query, content_type=APPLY_PATCH)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_seconds: int | None = None,
        uid: str | None = None,
        propagation: str | None = None,
    ) -> Object:
        """Delete; with ``uid`` only that very object (a precondition; otherwise Conflict)."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if propagation is not None:
            options["propagationPolicy"] = propagation
        return await self.send("DELETE", resource.path(namespace, name), body=options)

    async def watch(
        self, resource: Resource, namespace: str | None = None, *, resource_version: str, query: Query = ()
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield ``(type, object)`` from ``resource_version`` on: ADDED, MODIFIED, DELETED, BOOKMARK.

        Ends when the server ends the stream. An ERROR event raises `ApiError` (410 when the version is too old).
        """
        parameters = [*query, ("watch", "true"), ("resourceVersion", resource_version), ("allowWatchBookmarks", "true")]
        request = ApiRequest("GET", resource.path(namespace), parameters, {"accept": JSON})
        lines = cast(AsyncGenerator[bytes, None], self._transport.lines(request))
        try:
            async with aclosing(lines):
                async for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError.from_status(event["object"])
                    yield event["type"], event["object"]
        except StreamRefused as refused:
            assert isinstance(refused.response.body, bytes)
            raise ApiError.from_body(refused.response.status, refused.response.body) from None


def _told_to_wait(response: ApiResponse) -> float | None:
    """For how long, by a server that has too much to do or is not up yet; None where it has answered."""
    said = response.headers.get("retry-after", "")
    if response.status not in (429, 500, 503, 504) or not said.isdigit():
        return None
    return min(float(said), LONGEST_WAIT_SECONDS)


def _type(resource: Resource) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind}
