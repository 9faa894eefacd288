"""What an object of any kind uses of a quota. Resources are named as in ``pods`` and ``deployments.apps``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kubelab.engine.quota import pods
from kubelab.engine.quota.amounts import Amounts

Object = dict[str, Any]

COUNT = "count/"
"""Begins the name under which all objects of a resource are counted."""
_BY_BARE_NAME = ("configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets")
_OF_SERVICES = ("services", "services.loadbalancers", "services.nodeports")


def resource_of(name: str) -> str:
    """The resource whose objects are counted under this name of a quota; empty when nothing is."""
    if name.startswith(COUNT):
        return name.removeprefix(COUNT)
    if name in _OF_SERVICES:
        return "services"
    return name if name in _BY_BARE_NAME else "pods" if pods.is_counted(name) else ""


def names_for(resource: str, names: Iterable[str]) -> list[str]:
    """Those of a quota's names under which the resource's objects are counted."""
    return [name for name in names if resource_of(name) == resource]


def usage(resource: str, obj: Object, now: datetime) -> Amounts:
    """What the object uses, by the names that a quota can have for it."""
    if resource == "pods":
        return pods.usage(obj, now)
    if resource == "services":
        return _of_service(obj["spec"])
    return {f"{COUNT}{resource}": "1", **({resource: "1"} if resource in _BY_BARE_NAME else {})}


def belongs(quota: Object, resource: str, obj: Object) -> bool:
    """Whether the quota's scopes take the object in; all of them must."""
    spec = quota["spec"]
    scopes = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    scopes += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return not scopes or (resource == "pods" and all(pods.in_scope(obj, scope) for scope in scopes))


def _of_service(spec: Object) -> Amounts:
    """Node ports are counted by what the Service means to have: they need not have been given out yet."""
    ports, balanced = spec.get("ports") or (), spec.get("type") == "LoadBalancer"
    if balanced and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    with_ports = balanced or spec.get("type") == "NodePort"
    return {
        f"{COUNT}services": "1",
        "services": "1",
        "services.loadbalancers": "1" if balanced else "0",
        "services.nodeports": str(len(ports)) if with_ports else "0",
    }
