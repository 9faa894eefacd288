"""The host names that a cluster's Ingresses serve. Those of HTTPRoutes are at other addresses: their Gateways'."""

from __future__ import annotations

from collections.abc import Iterator

from kubelab.lab.api import Api, Object
from kubelab.lab.errors import ApiError

_INGRESSES = "/apis/networking.k8s.io/v1/ingresses"


def hosts_of(api: Api) -> list[str]:
    """Sorted, each once; a wildcard is no place to go to, and left out. Raises `LabError`."""
    return sorted({name for each in _ingresses(api) for name in _names(each) if name[:1] != "*"})


def _ingresses(api: Api) -> list[Object]:
    try:
        return list(api.request("GET", _INGRESSES).get("items") or ())
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return []  # the cluster has no such kind, or shows it to others


def _names(each: Object) -> Iterator[str]:
    yield from (rule["host"] for rule in (each.get("spec") or {}).get("rules") or () if rule.get("host"))
