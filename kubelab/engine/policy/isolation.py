"""What NetworkPolicies allow: for each isolated pod, from and to which addresses and ports.

A pod is isolated in a direction as soon as one policy of that direction selects it; then only what some policy allows
passes. Policies add up; none can forbid what another allows.
Source: https://kubernetes.io/docs/concepts/services-networking/network-policies/ (1.36)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kubelab.engine.client import Object
from kubelab.engine.selection import selects

Direction = Literal["Ingress", "Egress"]
_PEERS = {"Ingress": "from", "Egress": "to"}
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Pod:
    """A pod as policies see it. ``ports``: (protocol, name) → number."""

    namespace: str
    name: str
    node: str
    ip: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int]


@dataclass(frozen=True, order=True)
class Ports:
    """``first`` to ``last`` of a protocol (``tcp``, ``udp``, ``sctp``)."""

    protocol: str
    first: int
    last: int


@dataclass(frozen=True, order=True)
class Allowed:
    """Peers that may pass. ``addresses``: IPs and CIDRs, None for all; ``ports``: None for all."""

    addresses: tuple[str, ...] | None
    excepted: tuple[str, ...]
    ports: tuple[Ports, ...] | None


@dataclass(frozen=True)
class Isolated:
    """One pod in one direction. Without ``allowed`` nothing passes."""

    pod: Pod
    direction: Direction
    policies: tuple[str, ...]
    allowed: tuple[Allowed, ...]


def pods_of(objects: Iterable[Object]) -> list[Pod]:
    """Those that have an address of their own: not finished, not on their node's network. Sorted."""
    found = []
    for obj in objects:
        spec, status, meta = obj["spec"], obj.get("status") or {}, obj["metadata"]
        if status.get("podIP") and not spec.get("hostNetwork") and status.get("phase") not in _ENDED:
            labels = meta.get("labels") or {}
            found.append(
                Pod(meta["namespace"], meta["name"], spec.get("nodeName", ""), status["podIP"], labels, _ports(spec))
            )
    return sorted(found, key=lambda pod: (pod.namespace, pod.name))


def _ports(spec: Object) -> dict[tuple[str, str], int]:
    return {
        (port.get("protocol", "TCP"), port["name"]): port["containerPort"]
        for container in spec["containers"]
        for port in container.get("ports") or ()
        if port.get("name")
    }


def isolated(
    policies: Sequence[Object], pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]]
) -> Iterator[Isolated]:
    """Every pod and direction that some policy isolates. ``namespaces``: name → labels."""
    by_namespace: dict[str, list[Object]] = {}
    for policy in sorted(policies, key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"])):
        by_namespace.setdefault(policy["metadata"]["namespace"], []).append(policy)
    directions: tuple[Direction, ...] = ("Ingress", "Egress")
    for pod in pods:
        selecting = [
            policy
            for policy in by_namespace.get(pod.namespace, ())
            if selects(policy["spec"].get("podSelector") or {}, pod.labels)
        ]
        for direction in directions:
            its = [policy for policy in selecting if direction in _types(policy["spec"])]
            if its:
                allowed = {each for policy in its for each in _allowed(policy, direction, pod, pods, namespaces)}
                names = tuple(f"{pod.namespace}/{policy['metadata']['name']}" for policy in its)
                yield Isolated(pod, direction, names, tuple(sorted(allowed, key=_order)))


def _order(allowed: Allowed) -> tuple[Any, ...]:
    return (allowed.addresses or (), allowed.excepted, allowed.ports or ())


def _types(spec: Object) -> Sequence[str]:
    return spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _allowed(
    policy: Object, direction: Direction, pod: Pod, pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]]
) -> Iterator[Allowed]:
    for rule in policy["spec"].get(direction.lower()) or ():
        peers, ports = rule.get(_PEERS[direction]), rule.get("ports")
        if not peers:
            yield from _with_ports(None, (), ports, [pod] if direction == "Ingress" else pods, direction)
        for peer in peers or ():
            if block := peer.get("ipBlock"):
                inside = [each for each in pods if _is_in(each.ip, block["cidr"])]
                who = [pod] if direction == "Ingress" else inside
                yield from _with_ports((block["cidr"],), tuple(block.get("except") or ()), ports, who, direction)
            elif chosen := _selected(peer, policy["metadata"]["namespace"], pods, namespaces):
                addresses = tuple(sorted(each.ip for each in chosen))
                yield from _with_ports(addresses, (), ports, [pod] if direction == "Ingress" else chosen, direction)


def _is_in(ip: str, cidr: str) -> bool:
    return ipaddress.ip_address(ip) in ipaddress.ip_network(cidr, strict=False)


def _selected(peer: Object, own: str, pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]]) -> list[Pod]:
    within = peer.get("namespaceSelector")
    labels = peer.get("podSelector") or {}
    return [
        pod
        for pod in pods
        if (pod.namespace == own if within is None else selects(within, namespaces.get(pod.namespace, {})))
        and selects(labels, pod.labels)
    ]


def _with_ports(
    addresses: tuple[str, ...] | None,
    excepted: tuple[str, ...],
    ports: Sequence[Object] | None,
    targets: Sequence[Pod],
    direction: Direction,
) -> Iterator[Allowed]:
    """With the ports of a rule. A port's name means what each target calls so: then the targets are told apart."""
    if not ports:
        yield Allowed(addresses, excepted, None)
        return
    numbers = tuple(sorted(_numbered(port) for port in ports if not isinstance(port.get("port"), str)))
    if numbers:
        yield Allowed(addresses, excepted, numbers)
    for port in ports:
        if isinstance(port.get("port"), str):
            key = (port.get("protocol", "TCP"), port["port"])
            for target in targets:
                if number := target.ports.get(key):
                    named = (Ports(key[0].lower(), number, number),)
                    yield Allowed(addresses if direction == "Ingress" else (target.ip,), excepted, named)


def _numbered(port: Object) -> Ports:
    first = port.get("port")
    last = port.get("endPort", first)
    protocol = port.get("protocol", "TCP").lower()
    return Ports(protocol, 0, 65535) if first is None or last is None else Ports(protocol, first, last)
