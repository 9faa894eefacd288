"""What pods read from the API: ConfigMaps, Secrets, Services, tokens.

Values are read fresh when a container starts; the informers only tell when a volume is to be written anew.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import NamedTuple

from kubelab.engine.client import ApiError, Client, Informer, Object, Resource, is_not_found
from kubelab.engine.client.resources import CONFIGMAPS, SECRETS, SERVICEACCOUNTS, SERVICES


class Reference(NamedTuple):
    """A ConfigMap or Secret by kind, namespace and name."""

    kind: str
    namespace: str
    name: str


class MissingSource(Exception):
    """A ConfigMap, a Secret or a key in one is not there (yet). The message is kubelet's."""

    def __init__(self, message: str, reference: Reference) -> None:
        super().__init__(message)
        self.reference = reference


class Token(NamedTuple):
    """A bound service account token and when it runs out."""

    token: str
    expires: str


RESOURCES: dict[str, Resource] = {"ConfigMap": CONFIGMAPS, "Secret": SECRETS}


class Sources:
    """One for a node."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._services = Informer(client, SERVICES)
        self._watched = [Informer(client, resource) for resource in RESOURCES.values()]
        self._listeners: list[Callable[[Reference], None]] = []
        for informer in self._watched:
            informer.listen(self._changed)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in (self._services, *self._watched):
                group.create_task(informer.run())

    async def synced(self) -> None:
        """Wait until the Services are known."""
        await self._services.synced()

    def listen(self, listener: Callable[[Reference], None]) -> None:
        """Tell of every ConfigMap and Secret that changes."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[Reference], None]) -> None:
        """Stop telling."""
        self._listeners.remove(listener)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        obj = new or old or {}
        reference = Reference(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        for listener in list(self._listeners):
            listener(reference)

    async def data(self, reference: Reference) -> dict[str, bytes]:
        """All keys of a ConfigMap or Secret. Raises `MissingSource`."""
        try:
            obj = await self._client.get(RESOURCES[reference.kind], reference.name, reference.namespace)
        except ApiError as error:
            if is_not_found(error):
                message = f'{reference.kind.lower()} "{reference.name}" not found'
                raise MissingSource(message, reference) from error
            raise
        plain = obj.get("data") or {}
        if reference.kind == "Secret":
            return {key: base64.b64decode(value) for key, value in plain.items()}
        binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
        return {**{key: value.encode() for key, value in plain.items()}, **binary}

    async def token(self, pod: Object, audience: str, seconds: int) -> Token:
        """A token bound to the pod (TokenRequest; KEP-1205). ``audience`` may be empty: the API server's own."""
        meta, account = pod["metadata"], pod["spec"].get("serviceAccountName") or "default"
        bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience] if audience else [],
                "expirationSeconds": seconds,
                "boundObjectRef": bound,
            },
        }
        path = SERVICEACCOUNTS.path(meta["namespace"], account, "token")
        status = (await self._client.send("POST", path, body=request))["status"]
        return Token(status["token"], status["expirationTimestamp"])

    def services(self, namespace: str) -> list[Object]:
        """The namespace's Services as far as they are known."""
        return self._services.all(namespace)
