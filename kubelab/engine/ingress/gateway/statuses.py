"""The status of GatewayClasses, Gateways and HTTPRoutes, made from what routing says of them. Pure.

Each function makes the whole status, from the object as it stands: what did not change keeps its time, so that a status
that is right is equal to the one that is there, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubelab.engine.client import Object
from kubelab.engine.ingress.gateway.conditions import Judged, conditions
from kubelab.engine.ingress.gateway.services import IP_ADDRESS, asked_address
from kubelab.routing.gateway import CONTROLLER
from kubelab.routing.gateway.conditions import Condition, GatewayStatus, ListenerStatus, RouteStatus
from kubelab.routing.gateway.references import GROUP

SUPPORTED_RELEASES = ("v1.5.", "v1.6.")
"""From 1.5 on ReferenceGrant is v1 (https://gateway-api.sigs.k8s.io/concepts/versioning/)."""

FEATURES = (
    "Gateway",
    "GatewayHTTPListenerIsolation",
    "GatewayPort8080",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendTimeout",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
)
"""By the names that the conformance tests give them, sorted."""


@dataclass(frozen=True)
class Place:
    """What there is of a Gateway besides its routes."""

    service: str = ""
    """The name of its Service; empty: it has none."""
    addresses: tuple[tuple[str, str], ...] = ()
    """Type and value."""
    open: bool = False
    """Whether the Service has the listeners' ports, and the proxy has taken in what is to be served at them."""


def class_status(gateway_class: Object, versions: Iterable[str], now: str) -> Object:
    """``versions``: the releases that the API's definitions are of."""
    odd = sorted(each for each in versions if not each.startswith(SUPPORTED_RELEASES))
    told = f"the definitions are of {', '.join(each or 'no release that they name' for each in odd)}"
    known = f"{' and '.join(f'{each}x' for each in SUPPORTED_RELEASES)} are known here, and others may differ"
    parameters = gateway_class["spec"].get("parametersRef")
    wanted = (
        Condition("Accepted", False, "InvalidParameters", "this controller knows no parameters: take parametersRef out")
        if parameters
        else Condition("Accepted", True, "Accepted", "its Gateways are served by kubelab's ingress controller"),
        Condition("SupportedVersion", False, "UnsupportedVersion", f"{told}; {known}")
        if odd
        else Condition("SupportedVersion", True, "SupportedVersion"),
    )
    there = gateway_class.get("status") or {}
    listed = conditions(wanted, there.get("conditions") or (), _judged(gateway_class, now))
    return {"conditions": listed, "supportedFeatures": [{"name": each} for each in FEATURES]}


def gateway_status(gateway: Object, status: GatewayStatus, place: Place, now: str) -> Object:
    """The status of a Gateway with its listeners."""
    there, judged = gateway.get("status") or {}, _judged(gateway, now)
    before = {each["name"]: each.get("conditions") or () for each in there.get("listeners") or ()}
    accepted = _accepted(gateway, status)
    wanted = (accepted, _programmed(gateway, accepted, status.listeners, place))
    made: Object = {"conditions": conditions(wanted, there.get("conditions") or (), judged)}
    if place.addresses:
        made["addresses"] = [{"type": kind, "value": value} for kind, value in place.addresses]
    made["listeners"] = [_listener(each, before.get(each.name, ()), judged) for each in status.listeners]
    return made


def unclaimed_status() -> Object:
    """The status of a Gateway whose class is nobody's any more: that which it was created with."""
    waiting = {"status": "Unknown", "reason": "Pending", "message": "Waiting for controller"}
    never = {"lastTransitionTime": "1970-01-01T00:00:00Z"}
    return {"conditions": [{"type": each, **waiting, **never} for each in ("Accepted", "Programmed")]}


def route_status(route: Object, status: RouteStatus | None, now: str) -> Object:
    """The status of an HTTPRoute; the parents that belong to other controllers stay. None: it has none here."""
    there, judged = (route.get("status") or {}).get("parents") or (), _judged(route, now)
    if status is None and not any(each["controllerName"] == CONTROLLER for each in there):
        return route.get("status") or {}
    others = [each for each in there if each["controllerName"] != CONTROLLER]
    before = {_parent(each["parentRef"]): each.get("conditions") or () for each in there if each not in others}
    ours = [
        {
            "parentRef": each.ref,
            "controllerName": CONTROLLER,
            "conditions": conditions(each.conditions, before.get(_parent(each.ref), ()), judged),
        }
        for each in (status.parents if status else ())
    ]
    return {"parents": [*others, *ours]}


def _accepted(gateway: Object, status: GatewayStatus) -> Condition:
    asked = gateway["spec"].get("addresses") or ()
    strange = sorted({each.get("type", IP_ADDRESS) for each in asked} - {IP_ADDRESS})
    if strange:
        return Condition("Accepted", False, "UnsupportedAddress", f"an address of type {strange[0]} cannot be had here")
    if len(asked) > 1:
        return Condition("Accepted", False, "UnsupportedAddress", "a Gateway has one address here, and not several")
    return status.accepted


def _programmed(
    gateway: Object, accepted: Condition, listeners: Sequence[ListenerStatus], place: Place
) -> Condition:  # fmt: skip
    asked, has = asked_address(gateway), [value for _, value in place.addresses]
    if not accepted.status:
        wrong = "Invalid", "it is not accepted, so nothing of it is served"
    elif not any(each.type == "Programmed" and each.status for its in listeners for each in its.conditions):
        wrong = "Invalid", "none of its listeners can be served as it stands"
    elif not place.service:
        wrong = "AddressNotAssigned", "its Service is not there yet"
    elif asked and asked not in has:
        wrong = "AddressNotUsable", f"the load balancer has not given {asked} to it; events of {place.service} say why"
    elif not has:
        wrong = "AddressNotAssigned", f"{place.service} has no address yet"
    elif not place.open:
        wrong = "Pending", "the proxy has not taken in all of it yet"
    else:
        return Condition("Programmed", True, "Programmed", "served at its address")
    return Condition("Programmed", False, *wrong)


def _listener(status: ListenerStatus, before: Iterable[Object], judged: Judged) -> Object:
    return {
        "name": status.name,
        "attachedRoutes": status.attached_routes,
        "supportedKinds": [{"group": GROUP, "kind": each} for each in status.supported_kinds],
        "conditions": conditions(status.conditions, before, judged),
    }


def _judged(obj: Object, now: str) -> Judged:
    return Judged(obj["metadata"].get("generation", 0), now)


def _parent(ref: Object) -> tuple[object, ...]:
    return tuple(ref.get(each) for each in ("group", "kind", "namespace", "name", "sectionName", "port"))
