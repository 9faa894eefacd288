"""The host names that a cluster's Ingresses and HTTPRoutes serve."""

from __future__ import annotations

from collections.abc import Iterator

from kubelab.lab.api import Api, Object
from kubelab.lab.errors import ApiError

_LISTS = ("/apis/networking.k8s.io/v1/ingresses", "/apis/gateway.networking.k8s.io/v1/httproutes")


def hosts_of(api: Api) -> list[str]:
    """Sorted, each once; a wildcard is no place to go to, and left out. Raises `LabError`."""
    return sorted({name for path in _LISTS for each in _listed(api, path) for name in _names(each) if name[:1] != "*"})


def _listed(api: Api, path: str) -> list[Object]:
    try:
        return list(api.request("GET", path).get("items") or ())
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return []  # the cluster has no such kind, or shows it to others


def _names(each: Object) -> Iterator[str]:
    spec = each.get("spec") or {}
    yield from (rule["host"] for rule in spec.get("rules") or () if rule.get("host"))
    yield from spec.get("hostnames") or ()
