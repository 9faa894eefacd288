"""What kubelab made in a namespace: known by its label, and by nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

from kubelab.clusters.base import ClusterError
from kubelab.clusters.existing.access import Access, Object, Refused

LABEL = "app.kubernetes.io/managed-by"
SELECTOR = f"{LABEL}=kubelab"
FOREIGN = f"{LABEL}!=kubelab"
GONE_SECONDS = 60.0

_CORE = ("pods", "services", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims")
_GROUPS = {
    "apps/v1": ("deployments", "statefulsets", "daemonsets", "replicasets"),
    "batch/v1": ("jobs", "cronjobs"),
    "discovery.k8s.io/v1": ("endpointslices",),
    "networking.k8s.io/v1": ("ingresses", "networkpolicies"),
    "policy/v1": ("poddisruptionbudgets",),
    "gateway.networking.k8s.io/v1": ("gateways", "httproutes", "referencegrants"),
}


_IN_EVERY = ("default", "kube-root-ca.crt")
"""ServiceAccount and ConfigMap of every namespace."""


def clear(access: Access, namespace: str) -> int:
    """Delete it all and wait until its pods are gone; how many objects were deleted. Raises `ClusterError`."""
    collections = _collections(namespace)
    found = access.together([_listing(access, collection, SELECTOR) for collection in collections])
    doomed = [
        (f"{collection}/{each['metadata']['name']}", each)
        for collection, items in zip(collections, found, strict=True)
        for each in items
        if not _is_owned(each)
    ]
    access.together([_deleting(access, path, each) for path, each in doomed])
    pods = _listing(access, f"/api/v1/namespaces/{namespace}/pods", SELECTOR)
    deadline = time.monotonic() + GONE_SECONDS
    while left := pods():
        if time.monotonic() > deadline:
            names = ", ".join(each["metadata"]["name"] for each in left[:3])
            raise ClusterError(f"Pods of {namespace} are still there after {GONE_SECONDS:g} s: {names}.")
        time.sleep(0.2)
    return len(doomed)


def strangers(access: Access, namespace: str) -> list[str]:
    """Workloads and Services that are not kubelab's: ``pod/db-0`` …; those that may be seen. Raises `ClusterError`."""
    collections = {
        "pod": f"/api/v1/namespaces/{namespace}/pods",
        "service": f"/api/v1/namespaces/{namespace}/services",
        "deployment": f"/apis/apps/v1/namespaces/{namespace}/deployments",
        "statefulset": f"/apis/apps/v1/namespaces/{namespace}/statefulsets",
    }
    found = access.together([_listing(access, collection, FOREIGN) for collection in collections.values()])
    return [
        f"{kind}/{each['metadata']['name']}"
        for kind, items in zip(collections, found, strict=True)
        for each in items
        if not _is_owned(each) and (kind, each["metadata"]["name"]) != ("service", "kubernetes")
    ]


def is_anything_left(access: Access, namespace: str) -> bool:
    """Whether anything is there that kubelab did not make, of whatever kind, but what is in every namespace."""
    found = access.together([_listing(access, collection, FOREIGN) for collection in _collections(namespace)])
    named = (each["metadata"]["name"] for items in found for each in items if not _is_owned(each))
    return any(name not in _IN_EVERY for name in named)


def _collections(namespace: str) -> list[str]:
    roots = {"/api/v1": _CORE, **{f"/apis/{group}": listed for group, listed in _GROUPS.items()}}
    return [f"{root}/namespaces/{namespace}/{each}" for root, listed in roots.items() for each in listed]


def _is_owned(found: Object) -> bool:
    """Its owner takes it along."""
    return bool(found["metadata"].get("ownerReferences"))


def _listing(access: Access, collection: str, selector: str) -> Callable[[], list[Object]]:
    def listed() -> list[Object]:
        try:
            return list(access.ask("GET", collection, {"labelSelector": selector}).get("items") or ())
        except Refused as error:
            if error.status not in (403, 404, 405):
                raise
            return []  # not served here, or none of ours: what may not be listed could not be made either

    return listed


def _deleting(access: Access, path: str, found: Object) -> Callable[[], None]:
    def deleted() -> None:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": found["metadata"]["uid"]},
        }
        try:
            access.ask("DELETE", path, body=options)
        except Refused as error:
            if error.status not in (404, 409):  # gone meanwhile, or another of the same name
                raise

    return deleted
