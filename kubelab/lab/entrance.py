"""Where Ingress traffic enters the cluster: the one place that finds the address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError, LabError
from kubelab.lab.survey import called, everywhere

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

CONTROLLER_NAMESPACE = "kubelab-ingress"
CONTROLLER = "kubelab-ingress-controller"
_INGRESS = kinds.named("ingress")
_GATEWAY = kinds.Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")


class Entrance(NamedTuple):
    """An address that requests from outside are sent to, and who names it."""

    address: str
    """An IP address, or a host name where the load balancer has only that."""
    named_by: str
    """``Ingress shop``, ``Gateway edge``, ``Service kubelab-ingress/kubelab-ingress-controller``."""


def entrance(lab: Lab, host: str = "", via: str = "") -> Entrance:
    """The address for requests to ``host``, or that of one object: ``via="ingress/shop"``, ``via="gateway/edge"``.

    Without ``via`` it is the address of an Ingress that serves the host, else that of the ingress controller's own
    Service. Raises `LabError` when nothing has an address.
    """
    if via:
        return _of_object(lab, via)
    for ingress in _serving(lab, host):
        for address in _load_balancers(ingress):
            return Entrance(address, f"Ingress {called(ingress, lab.namespace)}")
    for address in _load_balancers(_controller(lab)):
        return Entrance(address, f"Service {CONTROLLER_NAMESPACE}/{CONTROLLER}")
    raise LabError(
        f"No request can enter: no Ingress has an address{f' for {host}' if host else ''}, and neither has the Service "
        f"{CONTROLLER} in {CONTROLLER_NAMESPACE}; `kubectl get service,pods -n {CONTROLLER_NAMESPACE}` shows what is "
        "there of the ingress controller."
    )


def _of_object(lab: Lab, via: str) -> Entrance:
    word, _, name = via.partition("/")
    kind = {"ingress": _INGRESS, "ing": _INGRESS, "gateway": _GATEWAY, "gtw": _GATEWAY}.get(word.lower())
    if kind is None or not name:
        raise LabError(f"{via!r} is no way in; write 'ingress/NAME' or 'gateway/NAME'.")
    found = lab.objects.get(kind, name)
    for address in _gateway_addresses(found) if kind is _GATEWAY else _load_balancers(found):
        return Entrance(address, f"{kind.kind} {name}")
    raise LabError(
        f"{kind.kind} {name} has no address: no controller has taken it up (yet); `kubectl describe {via}` says more."
    )


def _serving(lab: Lab, host: str) -> list[Object]:
    """The Ingresses that serve a host: those of the lab's namespace first, then the more exact ones."""
    found = [(_fit(ingress, host), ingress) for ingress in everywhere(lab, _INGRESS)]
    fitting = [(fit, ingress) for fit, ingress in found if fit is not None]
    fitting.sort(key=lambda pair: (pair[1]["metadata"]["namespace"] != lab.namespace, pair[0]))
    return [ingress for _, ingress in fitting]


def _fit(ingress: Object, host: str) -> int | None:
    """0: the host is named; 1: a wildcard stands for its first label; 2: any host; None: not served."""
    spec = ingress.get("spec") or {}
    names = [rule.get("host", "") for rule in spec.get("rules") or ()]
    wildcard = f"*.{host.partition('.')[2]}"
    if host in names:
        return 0 if host else 2
    if wildcard in names:
        return 1
    return 2 if not host or "" in names or "defaultBackend" in spec else None


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
