"""Where Ingress traffic enters the cluster: the one place that finds the address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError, LabError, Lacking
from kubelab.lab.guest import INGRESS_CLASS
from kubelab.lab.survey import called, everywhere
from kubelab.routing.classes import class_name

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

CONTROLLER_NAMESPACE = "kubelab-ingress"
CONTROLLER = "kubelab-ingress-controller"
_INGRESS = kinds.named("ingress")
_ROUTE = kinds.Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
GATEWAY = kinds.Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")


class Entrance(NamedTuple):
    """An address that requests from outside are sent to, and who names it."""

    address: str
    """An IP address, or a host name where the load balancer has only that."""
    named_by: str
    """``Ingress shop``, ``Gateway edge``, ``Service kubelab-ingress/kubelab-ingress-controller``."""


def entrance(lab: Lab, host: str = "", via: str = "") -> Entrance:
    """The address for requests to ``host``, or that of one object: ``via="ingress/shop"``, ``via="gateway/edge"``.

    Without ``via`` it is the address of an Ingress that serves the host, or of the Gateway of an HTTPRoute that does:
    one of the lab's namespace first, then the one that names the host more exactly, then an Ingress. Where there is
    none it is the address of the ingress controller's own Service, or where that is not to be seen, the one that it
    gives to the lab's other Ingresses. Raises `LabError` when nothing has an address.
    """
    if via:
        return _of_object(lab, via)
    ways = [*_by_ingress(lab, host), *_by_route(lab, host)]
    if ways:
        return min(ways, key=lambda way: way[0])[1]
    for address in _load_balancers(_controller(lab)):
        return Entrance(address, f"Service {CONTROLLER_NAMESPACE}/{CONTROLLER}")
    if lab.cluster.ingress_class:  # whose controller's own Service is not to be seen: it is where its Ingresses are
        for ingress in lab.objects.find(_INGRESS):
            for address in _load_balancers(ingress) if class_name(ingress) == INGRESS_CLASS else ():
                return Entrance(address, f"Ingress {ingress['metadata']['name']}")
    if "ingress" not in lab.cluster.capabilities:
        raise Lacking(
            "No request can enter: this cluster has no ingress; `kubelab doctor` says why, and what mends it."
        )
    raise LabError(
        f"No request can enter: no Ingress has an address{f' for {host}' if host else ''}, and neither has the Service "
        f"{CONTROLLER} in {CONTROLLER_NAMESPACE}; `kubectl get service,pods -n {CONTROLLER_NAMESPACE}` shows what is "
        "there of the ingress controller."
    )


def way_in(via: str) -> tuple[kinds.Kind, str]:
    """The kind and the name of ``ingress/shop`` or ``gateway/edge``. Raises `LabError`."""
    word, _, name = via.partition("/")
    kind = {"ingress": _INGRESS, "ing": _INGRESS, "gateway": GATEWAY, "gtw": GATEWAY}.get(word.lower())
    if kind is None or not name:
        raise LabError(f"{via!r} is no way in; write 'ingress/NAME' or 'gateway/NAME'.")
    return kind, name


def _of_object(lab: Lab, via: str) -> Entrance:
    kind, name = way_in(via)
    found = lab.objects.get(kind, name)
    for address in _gateway_addresses(found) if kind is GATEWAY else _load_balancers(found):
        return Entrance(address, f"{kind.kind} {name}")
    raise LabError(
        f"{kind.kind} {name} has no address: no controller has taken it up (yet); `kubectl describe {via}` says more."
    )


_Way = tuple[tuple[bool, int], Entrance]
"""A way in; the smaller the first part, the better: whether it is another namespace's, and how exactly it fits."""


def _by_ingress(lab: Lab, host: str) -> Iterator[_Way]:
    for ingress in everywhere(lab, _INGRESS):
        spec = ingress.get("spec") or {}
        names = [rule.get("host", "") for rule in spec.get("rules") or ()] + [""] * ("defaultBackend" in spec)
        fit = _fit(names, host, _parents(host)[:1])  # an Ingress's wildcard stands for one label
        for address in _load_balancers(ingress) if fit is not None else ():
            away = ingress["metadata"]["namespace"] != lab.namespace
            yield (away, fit or 0), Entrance(address, f"Ingress {called(ingress, lab.namespace)}")


def _by_route(lab: Lab, host: str) -> Iterator[_Way]:
    try:
        routes = everywhere(lab, _ROUTE)
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return  # a cluster without the Gateway API
    gateways = {_key(gateway["metadata"]): gateway for gateway in everywhere(lab, GATEWAY)} if routes else {}
    for route in routes:
        spec, namespace = route.get("spec") or {}, route["metadata"]["namespace"]
        fit = _fit(spec.get("hostnames") or [""], host, _parents(host))
        for reference in spec.get("parentRefs") or () if fit is not None else ():
            gateway = gateways.get((reference.get("namespace", namespace), reference["name"]), {})
            for address in _gateway_addresses(gateway):
                yield (
                    (namespace != lab.namespace, fit or 0),
                    Entrance(address, f"Gateway {called(gateway, lab.namespace)}"),
                )


def _fit(names: Sequence[str], host: str, parents: Sequence[str]) -> int | None:
    """0: the host is named; 1: a wildcard before one of these parents stands for it; 2: any host; None: not served."""
    if host and host in names:
        return 0
    if any(f"*.{parent}" in names for parent in parents):
        return 1
    return 2 if not host or "" in names else None


def _parents(host: str) -> list[str]:
    """Those of ``a.shop.test`` are ``shop.test`` and ``test``: a Gateway's wildcard stands for one label or several."""
    labels = host.split(".")
    return [".".join(labels[at:]) for at in range(1, len(labels))]


def _key(metadata: Object) -> tuple[str, str]:
    return metadata["namespace"], metadata["name"]


def _controller(lab: Lab) -> Object:
    try:
        return lab.api.request("GET", kinds.SERVICE.path(CONTROLLER_NAMESPACE, CONTROLLER))
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        return {}


def _load_balancers(object_: Object) -> Iterator[str]:
    for each in ((object_.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
        if address := each.get("ip") or each.get("hostname"):
            yield address


def _gateway_addresses(gateway: Object) -> Iterator[str]:
    for each in (gateway.get("status") or {}).get("addresses") or ():
        yield each["value"]
