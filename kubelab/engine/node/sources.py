"""What pods read from the API: ConfigMaps, Secrets, Services, tokens.

Values are read fresh when a container starts; watches only tell when a volume is to be written anew. A node may see the
objects that its pods name and no other, so each is watched for itself
(https://kubernetes.io/docs/reference/access-authn-authz/node/).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from kubelab.engine.client import ApiError, Client, Informer, Object, Resource, is_not_found
from kubelab.engine.client.resources import CONFIGMAPS, SECRETS, SERVICEACCOUNTS, SERVICES
from kubelab.engine.node.clock import cancel


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


Listener = Callable[[], None]


@dataclass
class _Watch:
    """One object, for all the pods that name it."""

    running: asyncio.Task[None]
    listeners: list[Listener] = field(default_factory=list)

    def tell(self, old: Object | None, new: Object | None) -> None:
        for listener in list(self.listeners):
            listener()


class Sources:
    """One for a node."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._services = Informer(client, SERVICES)
        self._watches: dict[Reference, _Watch] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            await self._services.run()
        finally:
            await cancel(*(watch.running for watch in self._watches.values()))

    async def synced(self) -> None:
        """Wait until the Services are known."""
        await self._services.synced()

    def follow(self, reference: Reference, listener: Listener) -> None:
        """Tell ``listener`` when the object comes, changes or goes."""
        if reference not in self._watches:
            only = (("fieldSelector", f"metadata.name={reference.name}"),)
            informer = Informer(self._client, RESOURCES[reference.kind], reference.namespace, only)
            watch = self._watches[reference] = _Watch(asyncio.ensure_future(informer.run()))
            informer.listen(watch.tell)
        self._watches[reference].listeners.append(listener)

    def leave(self, reference: Reference, listener: Listener) -> None:
        """Tell it no more."""
        watch = self._watches[reference]
        watch.listeners.remove(listener)
        if not watch.listeners:
            del self._watches[reference]
            watch.running.cancel()

    async def data(self, reference: Reference, *, binary: bool = True) -> dict[str, bytes]:
        """All keys of a ConfigMap or Secret; without ``binary`` no ``binaryData``. Raises `MissingSource`."""
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
        extra = (obj.get("binaryData") or {}) if binary else {}
        return {key: value.encode() for key, value in plain.items()} | {
            key: base64.b64decode(value) for key, value in extra.items()
        }

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
