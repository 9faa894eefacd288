"""An IPAddress for every ClusterIP: stored with its Service and taken away with it.

Source: KEP-1880; stable since Kubernetes 1.33.
"""

from __future__ import annotations

import uuid
from ipaddress import IPv4Address

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.allocation import cluster_ips
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.storage import Store, Write
from kubelab.engine.apiserver.times import rfc3339

_ADDRESSES = r.IPADDRESSES
LABELS = {"ipaddress.kubernetes.io/ip-family": "IPv4", "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}


class ServiceAddresses:
    """The IPAddresses of Services."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def changes(self, old: Object | None, new: Object | None, now: float) -> list[Write]:
        """What has to be stored along with a Service that takes the place of another; ``now``: since the epoch."""
        before = set(cluster_ips(old)) if old else set()
        after = set(cluster_ips(new)) if new else set()
        if before == after:
            return []
        writes = [_write(_taken(str(IPv4Address(ip)), new["metadata"], now)) for ip in sorted(after - before) if new]
        for ip in sorted(before - after):
            stored = self._store.get(_ADDRESSES.storage_key, ("", str(IPv4Address(ip))))
            if stored is not None and old and stored.obj["spec"]["parentRef"] == _parent(old["metadata"]):
                last = {**stored.obj, "metadata": dict(stored.obj["metadata"])}
                writes.append(_write(last, gone=True))
        return writes

    def mend(self, now: float) -> None:
        """Store what a Service should have and has not: it is older than this, or somebody has deleted it."""
        for service in list(self._store.shelf(r.SERVICES.storage_key).objects.values()):
            for ip in cluster_ips(service.obj):
                name = str(IPv4Address(ip))
                if self._store.get(_ADDRESSES.storage_key, ("", name)) is None:
                    self._store.commit(_write(_taken(name, service.obj["metadata"], now)))


def _parent(meta: Object) -> Object:
    return {"resource": "services", "namespace": meta["namespace"], "name": meta["name"]}


def _taken(name: str, service: Object, now: float) -> Object:
    meta = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": rfc3339(now), "labels": dict(LABELS)}
    return {
        "kind": _ADDRESSES.kind,
        "apiVersion": _ADDRESSES.api_version,
        "metadata": meta,
        "spec": {"parentRef": _parent(service)},
    }


def _write(obj: Object, *, gone: bool = False) -> Write:
    rtype = _ADDRESSES
    return Write(rtype.storage_key, ("", obj["metadata"]["name"]), obj, rtype.kind, rtype.api_version, gone)
