"""Names in the place of addresses: a trace that reads the same on every run.

Which address a pod, a Service or a link has is chance; what a lesson shows and keeps says ``web-1``, ``Service web``
and ``kubelab-worker``. In rules as written a name stands in parentheses: ``-d (Service web) … -j KUBE-SEP-(web-1)``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from kubelab.rules.addresses import inside
from kubelab.trace.conntrack import Flow
from kubelab.trace.hops import Hop
from kubelab.trace.packet import Header
from kubelab.trace.places import Picture, Place
from kubelab.trace.routes import Route

_DOTTED = r"\d{1,3}(?:\.\d{1,3}){3}"
_ADDRESS = rf"(?<![\w.])(?P<address>{_DOTTED})(?P<prefix>/\d{{1,2}})?(?![\w]|\.\d)"
_ENDPOINT_CHAIN = (
    r"(?P<endpoint>KUBE-SEP-[A-Z2-7]{16}|(?P<kind>endpoint|affinity)-[A-Z2-7]{8}-[^\s;]*?__(?P<to>[\d.]+)/\d+)"
)
_SERVER_CHAIN = (
    rf"\b(?P<protocol>tcp|udp|sctp)/(?P<server>{_DOTTED})/(?P<port>\d+)(?:/(?P<real>{_DOTTED})/(?P<real_port>\d+))?"
)
"""Of a virtual server where IPVS is stood in for by nft, and of one endpoint behind it."""
_TRANSLATES = re.compile(r"-A (KUBE-SEP-\S+) .*--to-destination ([\d.]+)")
_CHANCE = re.compile(
    r"(--probability )[\d.]+|((?:numgen random mod|random mod) \d+(?: offset \d+)? (?:v?map )?\{)[^}]*\}"
)


@dataclass(frozen=True)
class Names:
    """What to call addresses, networks, links and the chains of endpoints."""

    addresses: Mapping[str, str]
    networks: Mapping[str, str] = field(default_factory=dict)
    """``10.244.1.0/24`` → ``pods of kubelab-worker``."""
    chains: Mapping[str, str] = field(default_factory=dict)
    """``KUBE-SEP-…`` → the address that it translates to."""
    links: Mapping[str, str] = field(default_factory=dict)
    """A node's end of a pod's link → the pod's address."""

    def plain(self, text: str) -> str:
        """The text with names in place of addresses."""
        return self._pattern.sub(lambda found: self._name(found, brackets=False), text)

    def rule(self, text: str) -> str:
        """The same for a rule as written; what only chance decided is left out (``--probability …``)."""
        named = self._pattern.sub(lambda found: self._name(found, brackets=True), text)
        return _CHANCE.sub(lambda found: f"{found[1]}…" if found[1] else f"{found[2]} … }}", named)

    def header(self, header: Header) -> Header:
        """The packet with names as its ends."""
        return header._replace(source=self.plain(header.source), destination=self.plain(header.destination))

    def hop(self, hop: Hop) -> Hop:
        """The hop with names, and without the numbers that depend on the order of addresses."""
        return replace(
            hop,
            in_interface=self.plain(hop.in_interface),
            out_interface=self.plain(hop.out_interface),
            chain=self.rule(hop.chain),
            number=0,
            rule=self.rule(hop.rule),
            comment=self.plain(hop.comment),
            did=self.plain(hop.did),
            before=self.header(hop.before),
            after=self.header(hop.after),
        )

    def flow(self, flow: Flow) -> Flow:
        """The connection with names as its ends."""
        return replace(
            flow,
            source=self.plain(flow.source),
            destination=self.plain(flow.destination),
            reply_source=self.plain(flow.reply_source),
            reply_destination=self.plain(flow.reply_destination),
        )

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        links = "|".join(sorted(map(re.escape, self.links), key=len, reverse=True)) or r"(?!)"
        return re.compile(rf"{_SERVER_CHAIN}|{_ADDRESS}|{_ENDPOINT_CHAIN}|(?<![\w-])(?P<link>{links})(?![\w-])")

    @cached_property
    def _wide(self) -> tuple[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str], ...]:
        nets = [(ipaddress.ip_network(net, strict=False), name) for net, name in self.networks.items()]
        return tuple(sorted(nets, key=lambda each: -each[0].prefixlen))

    def _name(self, found: re.Match[str], *, brackets: bool) -> str:
        if server := found["server"]:
            ends = [f"({self._of_address(server)})/{found['port']}"]
            if real := found["real"]:
                ends.append(f"({self._of_address(real)})/{found['real_port']}")
            return "/".join((found["protocol"], *ends))
        if address := found["address"]:
            name = self._of_address(address, found["prefix"] or "")
            return name if name == found[0] or not brackets else f"({name})"
        if link := found["link"]:
            return f"link-({self._of_address(self.links[link])})"
        address = found["to"] or self.chains.get(found[0], "")
        if not address:
            return found[0]
        return f"{found['kind'] or 'KUBE-SEP'}-({self._of_address(address)})"

    def _of_address(self, address: str, prefix: str = "") -> str:
        if prefix in ("", "/32"):
            if known := self.addresses.get(address):
                return known
            try:
                number = ipaddress.ip_address(address)
            except ValueError:
                return address
            held = next((name for net, name in self._wide if number in net), "")
            return f"nobody of the {held}" if held else address
        return self.networks.get(address + prefix, address + prefix)


def names_of(picture: Picture, services: Mapping[str, str], networks: Mapping[str, str]) -> Names:
    """The names of a picture. ``services``: address → ``Service web``; ``networks``: network → what it is for."""
    addresses: dict[str, str] = {}
    links: dict[str, str] = {}
    chains: dict[str, str] = {}
    shared: dict[str, str] = {}
    for place in picture.places.values():
        addresses |= {each.address: place.name for each in place.addresses if not each.address.startswith("127.")}
        links |= {
            route.interface: pod.address
            for route in place.routes
            if not route.gateway and (pod := picture.pods_by_address.get(route.network.removesuffix("/32")))
        }
        shared |= {route.network: "the nodes" for route in place.routes if _shared(picture, place, route)}
        chains |= dict(_TRANSLATES.findall(place.texts.get("iptables", "")))
    addresses |= services
    addresses |= {pod.address: pod.name for pod in picture.pods.values()}
    return Names(addresses, {**shared, **networks}, chains, links)


def _shared(picture: Picture, place: Place, route: Route) -> bool:
    """Whether it is the link between the places: others are on it too."""
    if route.gateway or route.kind != "unicast" or route.network.endswith(("/32", "/128", "/0")):
        return False
    others = (each for other in picture.places.values() if other is not place for each in other.addresses)
    return any(inside(each.address, route.network) for each in others)
