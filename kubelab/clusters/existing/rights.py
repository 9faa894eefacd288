"""What one may do on a cluster, asked of it: ``kubectl auth can-i``, many questions at once.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kubelab.clusters.existing.access import Access, Refused

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Right(NamedTuple):
    """A verb on a resource, as RBAC has it."""

    verb: str
    resource: str
    group: str = ""
    everywhere: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (" in all namespaces" if self.everywhere else "")


_VERBS = ("get", "list", "create", "update", "delete")
NEEDED = (
    *(Right(verb, "pods") for verb in ("watch", *_VERBS)),
    Right("create", "pods/exec"),
    Right("get", "pods/log"),
    *(Right(verb, resource) for resource in ("services", "configmaps") for verb in _VERBS),
    *(Right(verb, "deployments", "apps") for verb in _VERBS),
    *(Right(verb, "endpointslices", "discovery.k8s.io") for verb in ("list", "watch")),
)
"""Without one of these no lesson can be."""

NODES = Right("list", "nodes", everywhere=True)
INGRESSES = Right("create", "ingresses", "networking.k8s.io")
GATEWAYS = tuple(Right("create", each, "gateway.networking.k8s.io") for each in ("gateways", "httproutes"))
NAMESPACES = Right("create", "namespaces", everywhere=True)

_NO_NODES: str = "kubelab runs nothing on the nodes of a cluster that is not its own"
_REASONS = {
    "node shell": _NO_NODES,
    "kernel rules": _NO_NODES,
    "conntrack": _NO_NODES,
    "switch proxy mode": "kube-proxy of a cluster that is others' too is left alone",
    "outside client": "there is no place outside from which this cluster's nodes are known to be reached",
    "several namespaces": "kubelab keeps to one namespace here",
}
"""What is never had here → why."""


class Rights(NamedTuple):
    """What was found out."""

    missing: tuple[str, ...]
    """Of `NEEDED`: ``create pods/exec`` …"""
    lacks: dict[str, str]
    """Capability → why it is not there."""
    nodes: tuple[str, ...]
    """The nodes' names, where they may be seen."""


def find_out(access: Access, namespace: str) -> Rights:
    """Ask everything at once. Raises `ClusterError`."""
    asked: list[Right] = [*NEEDED, NODES, INGRESSES, *GATEWAYS]
    questions: list[Callable[[], object]] = [_question(access, namespace, right) for right in asked]
    *answers, found_nodes = access.together([*questions, lambda: _nodes(access)])
    may = dict(zip(asked, answers, strict=True))
    lacks = dict(_REASONS)
    if not may[NODES]:
        lacks["several nodes"] = "you may not list its nodes"
    elif len(found_nodes) < 2:
        lacks["several nodes"] = "it has one node"
    if not may[INGRESSES]:
        lacks["ingress"] = f"you may not create ingresses in {namespace}"
    if not all(may[right] for right in GATEWAYS):
        lacks["gateway api"] = f"you may not create gateways and httproutes in {namespace}"
    missing = tuple(str(right) for right in NEEDED if not may[right])
    return Rights(missing, dict(sorted(lacks.items())), found_nodes)


def may(access: Access, namespace: str, right: Right) -> bool:
    """Whether one may. Raises `ClusterError`."""
    resource, _, subresource = right.resource.partition("/")
    attributes = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource}
    if not right.everywhere:
        attributes["namespace"] = namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return bool((access.ask("POST", REVIEWS, body=review).get("status") or {}).get("allowed"))


def _question(access: Access, namespace: str, right: Right) -> Callable[[], bool]:
    return lambda: may(access, namespace, right)


def _nodes(access: Access) -> tuple[str, ...]:
    try:
        items = access.ask("GET", "/api/v1/nodes").get("items") or ()
    except Refused as error:
        if error.status != 403:
            raise
        return ()
    return tuple(sorted(item["metadata"]["name"] for item in items))
