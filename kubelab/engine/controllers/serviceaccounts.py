"""What every namespace is born with: ServiceAccount ``default`` and ConfigMap ``kube-root-ca.crt``.

Pods run as the first unless they say otherwise, and check the API server's certificate with the second.
"""

from __future__ import annotations

from kubelab.engine.client import ApiError, Client, Object, Resource, WorkQueue, already_exists
from kubelab.engine.client.resources import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import annotations_of
from kubelab.engine.controllers.owners import is_being_deleted

DEFAULT_ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"
_NOTE = {"kubernetes.io/description": "The CA certificate with which the API server's certificate can be checked."}


class NamespaceDefaults:
    """Keeps one object of a fixed name in every namespace: makes it, makes it again, and mends its data."""

    def __init__(self, client: Client, informers: SharedInformers, resource: Resource, wish: Object) -> None:
        self._client = client
        self._wish = wish
        self._name = wish["metadata"]["name"]
        self._queue: WorkQueue[str] = WorkQueue(f"{self._name} of a namespace", self._reconcile)
        self._namespaces = informers[NAMESPACES]
        self._objects = informers[resource]
        self._namespaces.listen(lambda old, new: self._queue.add((new or old or {})["metadata"]["name"]))
        self._objects.listen(self._object_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    def _object_changed(self, old: Object | None, new: Object | None) -> None:
        meta = (new or old or {})["metadata"]
        if meta["name"] == self._name:
            self._queue.add(meta["namespace"])

    async def _reconcile(self, name: str) -> None:
        namespace = self._namespaces.get("", name)
        if namespace is None or is_being_deleted(namespace):
            return
        known = self._objects.get(name, self._name)
        wish = {**self._wish, "metadata": {**self._wish["metadata"], "namespace": name}}
        if known is None:
            await self._create(wish)
        elif "data" in wish and known.get("data") != wish["data"]:
            annotations = {**annotations_of(known), **(wish["metadata"].get("annotations") or {})}
            mended = {**known, "metadata": {**known["metadata"], "annotations": annotations}, "data": wish["data"]}
            self._objects.wrote(await self._client.update(self._objects.resource, mended))

    async def _create(self, wish: Object) -> None:
        try:
            self._objects.wrote(await self._client.create(self._objects.resource, wish))
        except ApiError as error:
            # 404: the namespace has gone; 403: it is on its way out. Both need nothing from us.
            if not already_exists(error) and error.code not in (403, 404):
                raise


def service_accounts(client: Client, informers: SharedInformers) -> NamespaceDefaults:
    """ServiceAccount ``default`` in every namespace."""
    return NamespaceDefaults(client, informers, SERVICEACCOUNTS, {"metadata": {"name": DEFAULT_ACCOUNT}})


def root_certificates(client: Client, informers: SharedInformers, ca_pem: str) -> NamespaceDefaults:
    """ConfigMap ``kube-root-ca.crt`` with the cluster's CA in every namespace."""
    wish = {"metadata": {"name": ROOT_CA, "annotations": _NOTE}, "data": {"ca.crt": ca_pem}}
    return NamespaceDefaults(client, informers, CONFIGMAPS, wish)
