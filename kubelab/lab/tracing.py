"""`Lab.trace`: which way a packet takes, computed from what the nodes' tools say now."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab.api import Object
from kubelab.lab.errors import LabError
from kubelab.lab.pods import Pod
from kubelab.lab.survey import Survey, addresses_of, balancers, survey
from kubelab.trace import CannotRead, CannotTrace, Flow, Trace

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

OUTSIDE = "outside"


class End(NamedTuple):
    """An address and a port; port 0 where the protocol has none."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


def trace(
    lab: Lab,
    source: str | Pod,
    target: str | Pod,
    port: int | str = 0,
    protocol: str = "tcp",
    *,
    source_port: int = 0,
    draw: float | Sequence[float] | None = None,
    connection: Flow | str | None = None,
    remembered: str | Iterable[str] = (),
    via: str = "",
    at: Survey | None = None,
) -> Trace:
    """See `Lab.trace`."""
    seen = at or survey(lab)
    sender = place_named(lab, source)
    end = end_of(lab, seen, target, port, protocol.lower(), outside=sender == OUTSIDE)
    if (
        seen.evaluated
        and sender == OUTSIDE
        and not via
        and any(end.address in balancers(each) for each in seen.services)
    ):
        raise LabError(
            f"By which node a packet from outside to {target} comes in, no rule tells here: name one, via='"
            f"{next(iter(seen.picture.places))}'."
        )
    known = [remembered] if isinstance(remembered, str) else list(remembered)
    lists = [str(end_of(lab, seen, each, 0, protocol.lower())) if lab.find_pod(each) else each for each in known]
    try:
        return seen.trace(
            sender, end.address, end.port, protocol,
            source_port=source_port, draw=draw, connection=connection, remembered=lists, via=via,
        )  # fmt: skip
    except (CannotRead, CannotTrace) as error:
        raise LabError(str(error)) from error


def place_named(lab: Lab, source: str | Pod) -> str:
    """What a survey calls a source: a pod's alias, a node, ``outside``, or an address as it is."""
    if isinstance(source, Pod):
        return source.alias
    name = source.removeprefix("pod/").removeprefix("node/")
    pod = lab.find_pod(name) if name != OUTSIDE else None
    return pod.alias if pod is not None else name


def end_of(lab: Lab, seen: Survey, target: str | Pod, port: int | str, protocol: str, *, outside: bool = False) -> End:
    """The address and port that a target means. Raises `LabError`.

    A Service (``web``, ``service/web``, ``web:80``, ``web:http``, ``web.shop:80``) is its ClusterIP; from outside its
    load balancer's address, when it has one. A pod (``web-1``, ``web-1:8080``) is its address, and the port that it
    declares. A node (``kubelab-worker:30080``) or an address needs a port.
    """
    if isinstance(target, Pod):
        return End(target.ip, _number(port, protocol) or target.port)
    host, given = _split(target)
    kind, slash, name = host.partition("/")
    host = name if slash else host
    wanted = given or str(port or "")
    if _is_address(host):
        return End(host, _number(wanted, protocol))
    pod = lab.find_pod(host) if kind.lower() not in ("service", "svc") else None
    if pod is not None:
        if not pod.ip:
            raise LabError(
                f"Pod {pod.alias} has no address yet; wait for it with lab.wait('pod/{pod.alias}', 'ready')."
            )
        return End(pod.ip, _number(wanted, protocol) or pod.port)
    service = seen.service(host)
    if service is not None:
        return End(_service_address(service, outside), _service_port(service, wanted, protocol))
    named = seen.picture.named(host)
    if named is None:
        raise LabError(
            f"There is no Service, pod or node {host!r} to send to; lab.find('services') and lab.pods() list those "
            "there are."
        )
    own = getattr(named, "address", "") or seen.picture.node(named.name).own_address("", "0.0.0.0")
    return End(own, _number(wanted, protocol))


def _split(target: str) -> tuple[str, str]:
    if _is_address(target):
        return target, ""
    host, _, port = target.rpartition(":")
    return (host.strip("[]"), port) if host else (target, "")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _number(port: int | str, protocol: str) -> int:
    text = str(port or 0)
    if not text.isdigit():
        raise LabError(f"{text!r} is no port number; only a Service's ports have names.")
    return int(text)


def _service_address(service: Object, outside: bool) -> str:
    name = service["metadata"]["name"]
    if service["spec"].get("type") == "ExternalName":
        raise LabError(f"Service {name} is only another name for {service['spec']['externalName']}: it has no address.")
    own = service["spec"].get("clusterIP") or ""
    if outside and balancers(service):
        return balancers(service)[0]
    if own in ("", "None"):
        raise LabError(
            f"Service {name} is headless: its name leads straight to the pods, and no rule to them. Trace to a pod."
        )
    return addresses_of(service)[0]


def _service_port(service: Object, wanted: str, protocol: str) -> int:
    ports = service["spec"].get("ports") or []
    if wanted.isdigit():
        return int(wanted)
    for port in ports:
        if wanted in ("", port.get("name")) and (wanted or port.get("protocol", "TCP").lower() == protocol):
            return int(port["port"])
    if protocol not in ("tcp", "udp", "sctp"):
        return 0
    there = ", ".join(f"{each.get('name', '')} {each['port']}/{each.get('protocol', 'TCP')}".strip() for each in ports)
    asked = f"port {wanted!r}" if wanted else f"{protocol} port"
    raise LabError(f"Service {service['metadata']['name']} has no {asked}; it has {there or 'none'}.")
