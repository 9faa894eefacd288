"""A cluster as texts: what each node's tools printed, and which pods there are.

Make one with ``picture({"kubelab-worker": {"iptables": …, "routes": …}}, {"default/web-1": (address, node)})``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kubelab.trace.conntrack import Flow, read_conntrack
from kubelab.trace.errors import CannotRead, CannotTrace
from kubelab.trace.ipsets import IpSet, read_ipsets
from kubelab.trace.iptables import read_iptables
from kubelab.trace.ipvs import Ipvs, read_ipvs
from kubelab.trace.nft import read_nft
from kubelab.trace.policy import PolicyRule, read_policy
from kubelab.trace.program import Firewall
from kubelab.trace.routes import Address, Route, best, read_addresses, read_routes

OUTSIDE = "outside"
"""The name of the place outside the cluster."""

TEXTS = ("iptables", "ip6tables", "nft", "routes", "policy", "addresses", "conntrack", "ipvs", "ipset")

IPVS_INTERFACE = "kube-ipvs0"
"""Holds the virtual addresses of kube-proxy's mode ipvs."""

_SEEN = re.compile(r"src=(\S+)")


@dataclass(frozen=True)
class Pod:
    """A pod with a network of its own. (A pod on the host network is its node.)"""

    name: str
    """With its namespace: ``default/web-1``."""
    address: str
    node: str


@dataclass
class Place:
    """One network namespace with rules: a node, or the outside. Texts are read when they are first needed."""

    name: str
    texts: Mapping[str, str] = field(default_factory=dict)
    recent_texts: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def firewall(self) -> Firewall:
        """The rules of all tools. Two whose order of making is not known are taken as iptables' being the older."""
        parts = []
        for name, family in (("iptables", "ip"), ("ip6tables", "ip6")):
            if text := self.texts.get(name, ""):
                parts.append(read_iptables(text, family))
        covered = {(base.family, base.table) for part in parts for base in part.bases}
        if text := self.texts.get("nft", ""):
            parts.append(read_nft(text, covered=covered))
        return Firewall.join(parts)

    @cached_property
    def ipvs(self) -> Ipvs:
        """The virtual servers of the kernel's IPVS."""
        return read_ipvs(self.texts.get("ipvs", ""))

    @cached_property
    def ipsets(self) -> Mapping[str, IpSet]:
        """The sets that rules may ask, by name."""
        return read_ipsets(self.texts.get("ipset", ""))

    def may_be_bridge(self, interface: str) -> bool:
        """Whether the interface may be a bridge, as far as ``ip addr`` tells (its short forms do not)."""
        text = self.texts.get("addresses", "")
        return " mtu " not in text or f" master {interface} " in text

    @cached_property
    def addresses(self) -> tuple[Address, ...]:
        """The place's own addresses. Without ``ip addr`` they are taken from local routes and route sources."""
        if text := self.texts.get("addresses", ""):
            return read_addresses(text)
        found = {}
        for route in self.routes:
            if route.kind == "local" and route.network.endswith(("/32", "/128")):
                found[route.network.partition("/")[0]] = route.interface
            elif route.source:
                found[route.source] = route.interface
        return tuple(Address(address, 32, interface) for address, interface in found.items())

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The routes."""
        return read_routes(self.texts.get("routes", ""))

    @cached_property
    def conntrack(self) -> Mapping[tuple[str, str, int, str, int], tuple[Flow, bool]]:
        """Known connections by the tuple of a packet, and whether that packet is an answer."""
        found: dict[tuple[str, str, int, str, int], tuple[Flow, bool]] = {}
        for flow in read_conntrack(self.texts.get("conntrack", "")):
            if flow.usable:
                found[flow.answer] = (flow, True)
                found[flow.first] = (flow, False)
        return found

    @cached_property
    def recent(self) -> Mapping[str, frozenset[str]]:
        """The lists of the ``recent`` match that were given: name → addresses."""
        return {name: frozenset(_SEEN.findall(text)) for name, text in self.recent_texts.items()}

    @cached_property
    def _own(self) -> frozenset[str]:
        return frozenset(address.address for address in self.addresses)

    def is_local(self, address: str) -> bool:
        """Whether the address is the place's own."""
        return address.startswith("127.") or address == "::1" or address in self._own

    def holds(self, address: str) -> bool:
        """Whether the address is its own for others too (not loopback)."""
        return address in self._own and not address.startswith("127.") and address != "::1"

    @cached_property
    def policy(self) -> tuple[PolicyRule, ...]:
        """Which packets are looked up in which table."""
        return read_policy(self.texts.get("policy", ""))

    def route(self, address: str, *, source: str = "0.0.0.0", interface: str = "", mark: int = 0) -> Route | None:
        """The way to an address that is not its own, for a packet that came in by ``interface`` (or is sent here)."""
        if not self.policy:
            return best(self.routes, address)
        for rule in self.policy:
            if not rule.concerns(source, address, interface, mark):
                continue
            if rule.refuses:
                return Route(address, kind=rule.refuses)
            found = best(self.routes, address, (rule.table,))
            if found is not None and found.kind != "throw":
                return found
        return None

    def own_address(self, interface: str, destination: str) -> str:
        """The address that the place uses as source on an interface, towards a destination (ip-address(8))."""
        family = ":" in destination
        usable = [
            each
            for each in self.addresses
            if (":" in each.address) == family and each.scope == "global" and not each.address.startswith("127.")
        ]
        on_it = [each.address for each in usable if each.interface == interface]
        first = sorted(usable, key=lambda each: each.interface == IPVS_INTERFACE)  # made when eth0 was there already
        return (on_it or [each.address for each in first] or [""])[0]


@dataclass
class Picture:
    """Places and pods. Make one with `picture`."""

    places: Mapping[str, Place]
    pods: Mapping[str, Pod]

    @cached_property
    def pods_by_address(self) -> Mapping[str, Pod]:
        """The pods by their addresses."""
        return {pod.address: pod for pod in self.pods.values()}

    def holder(self, address: str) -> Place | Pod | None:
        """Who has the address."""
        pod = self.pods_by_address.get(address)
        if pod is not None:
            return pod
        return next((place for place in self.places.values() if place.holds(address)), None)

    def node(self, name: str) -> Place:
        """The node of a pod. Raises `CannotTrace` when its texts were not given."""
        if name not in self.places:
            raise CannotTrace(f"The texts of node {name!r} are missing from the picture; it has {_list(self.places)}.")
        return self.places[name]

    def named(self, name: str) -> Place | Pod | None:
        """A place or pod by its name; a pod's namespace and a node's first part may be left out if that is clear."""
        if name in self.places:
            return self.places[name]
        if name in self.pods:
            return self.pods[name]
        found: list[Place | Pod] = [pod for pod in self.pods.values() if pod.name.partition("/")[2] == name]
        found += [place for place in self.places.values() if place.name.endswith(f"-{name}")]
        if len(found) > 1:
            raise CannotTrace(f"{name!r} could be {_list(each.name for each in found)}: write the whole name.")
        return found[0] if found else None


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def picture(
    nodes: Mapping[str, Mapping[str, str]],
    pods: Mapping[str, tuple[str, str] | Mapping[str, str]],
    *,
    recent: Mapping[str, Mapping[str, str]] | None = None,
) -> Picture:
    """A cluster from the texts of its nodes.

    ``nodes``: node name → what its tools printed, by these names (all may be missing):
    ``iptables`` (``iptables-save``, with or without ``-c``), ``ip6tables`` (``ip6tables-save``),
    ``nft`` (``nft list ruleset`` or a table, or with ``-j``), ``routes`` (``ip route``, ``ip -j route``, with ``show
    table all`` for policy routing) and ``policy`` (``ip rule``),
    ``addresses`` (``ip addr`` or ``ip -j addr``), ``conntrack`` (``conntrack -L``),
    ``ipvs`` (``ipvsadm -Sn``, ``ipvsadm -Ln`` or /proc/net/ip_vs), ``ipset`` (``ipset save`` or ``ipset list``).
    The name ``outside`` is for the namespace of clients outside the cluster.
    ``pods``: ``namespace/name`` → (address, node), or a mapping with these keys.
    ``recent``: node → list → text of ``/proc/net/xt_recent/LIST``: which clients session affinity remembers.

    Raises `CannotRead` when a text has an unknown name; texts themselves are read when a trace needs them.
    """
    for name, texts in nodes.items():
        for unknown in sorted(set(texts).difference(TEXTS)):
            raise CannotRead(f"{name}: {unknown!r} is no text that a trace reads; it reads {', '.join(TEXTS)}.")
    remembered = recent or {}
    places = {name: Place(name, texts, remembered.get(name, {})) for name, texts in nodes.items()}
    return Picture(places, {name: _pod(name, what) for name, what in pods.items()})


def _pod(name: str, what: tuple[str, str] | Mapping[str, str]) -> Pod:
    if isinstance(what, Mapping):
        return Pod(name, what["address"], what["node"])
    return Pod(name, *what)
