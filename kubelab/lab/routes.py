"""The routing table of the cluster's own Ingresses, Gateways and HTTPRoutes, and what it says of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.entrance import GATEWAY, way_in
from kubelab.lab.errors import ApiError, LabError
from kubelab.lab.guest import INGRESS_CLASS
from kubelab.lab.survey import everywhere
from kubelab.routing import hosts
from kubelab.routing.decide import Candidate, Decision, decide
from kubelab.routing.gateway import CONTROLLER as GATEWAY_CONTROLLER
from kubelab.routing.gateway import gateways
from kubelab.routing.ingress import CONTROLLER, table
from kubelab.routing.model import ObjectName, Table, together
from kubelab.routing.objects import Objects
from kubelab.routing.request import Request

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

_NETWORKING, _GATEWAY = "networking.k8s.io/v1", "gateway.networking.k8s.io/v1"
_KINDS: Mapping[str, kinds.Kind] = {
    "ingresses": kinds.named("ingress"),
    "ingress_classes": kinds.Kind(_NETWORKING, "IngressClass", "ingressclasses", namespaced=False),
    "services": kinds.SERVICE,
    "endpoint_slices": kinds.ENDPOINTSLICE,
    "secrets": kinds.SECRET,
    "namespaces": kinds.NAMESPACE,
    "gateway_classes": kinds.Kind(_GATEWAY, "GatewayClass", "gatewayclasses", namespaced=False),
    "gateways": kinds.Kind(_GATEWAY, "Gateway", "gateways"),
    "http_routes": kinds.Kind(_GATEWAY, "HTTPRoute", "httproutes"),
    "reference_grants": kinds.Kind(_GATEWAY, "ReferenceGrant", "referencegrants"),
}
"""By the fields of `Objects`."""
_CLASSES = {
    "ingress_classes": {"controller": CONTROLLER},
    "gateway_classes": {"controllerName": GATEWAY_CONTROLLER},
}


def objects(lab: Lab) -> Objects:
    """All that routing depends on; what the API does not serve, or not to us, is not there."""
    found = {field: _listed(lab, kind) for field, kind in _KINDS.items() if field not in _CLASSES}
    return Objects(**found, **{field: _classes(lab, field) for field in _CLASSES})


def _classes(lab: Lab, field: str) -> list[Object]:
    """On somebody else's cluster the one that stands for the course's own: it may not be seen, or be another's."""
    if lab.cluster.ingress_class:
        return [{"metadata": {"name": INGRESS_CLASS}, "spec": _CLASSES[field]}]
    return _listed(lab, _KINDS[field])


def routing(lab: Lab) -> Table:
    """What `Lab.routing` says."""
    found = objects(lab)
    return together(table(found), gateways(found).table)


def decision(lab: Lab, url: str, method: str, headers: Mapping[str, str], via: str, at: Table | None) -> Decision:
    """What `Lab.decide` says."""
    kind, name = way_in(via) if via else (None, "")
    owner = ObjectName("Gateway", lab.namespace, name) if kind is GATEWAY else None
    full = url if "://" in url else f"http://{url}"
    try:
        found = decide(at or routing(lab), Request.of(full, method, tuple(headers.items()), owner=owner))
    except (ValueError, LookupError) as error:
        raise LabError(f"{error}") from error
    return replace(found, others=tuple(each for each in found.others if _concerns(each, found.request, lab.namespace)))


def _concerns(candidate: Candidate, request: Request, namespace: str) -> bool:
    """Whether a rule that was not chosen is of interest: the lab's own, or another namespace's for the same host."""
    own = candidate.route.origin.object.namespace == namespace
    return own or hosts.fits(candidate.host, request.name, "any labels")


def _listed(lab: Lab, kind: kinds.Kind) -> list[Object]:
    try:
        return everywhere(lab, kind)
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return []
