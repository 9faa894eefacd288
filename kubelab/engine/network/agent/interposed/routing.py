"""Where a connection from a place ends: the routes between nodes, and each node's rules on the way.

The routes are those of the namespace carriers (``topology.py``): a pod's only neighbour is its node, nodes know each
other's pod ranges, everything else goes to the outside, which knows only the nodes.
"""

from __future__ import annotations

import errno
import ipaddress
import random
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from kubelab.engine.config import NODE_CIDR, OUTSIDE_IP, NodeSpec
from kubelab.engine.network.agent.interposed.addresses import LOCALHOST, AddressPlan, in_cluster, is_loopback
from kubelab.engine.network.agent.interposed.places import Host, Site
from kubelab.engine.network.contract import OUTSIDE, Place, node, pod
from kubelab.rules import Packet, Verdict, walk

_MOST_HOPS = 8
_FIRST_INDEX = 998
"""Of interfaces: two for every link, that of the place inside is the second."""
_REJECTIONS = {
    "icmp-net-unreachable": errno.ENETUNREACH,
    "icmp-host-unreachable": errno.EHOSTUNREACH,
    "icmp-proto-unreachable": errno.ENOPROTOOPT,
    "icmp-net-prohibited": errno.ENETUNREACH,
    "icmp-host-prohibited": errno.EHOSTUNREACH,
    "icmp-admin-prohibited": errno.EHOSTUNREACH,
}
"""What connect(2) returns for a refusal, where it is not ECONNREFUSED (the kernel's icmp_err_convert)."""


class Track(NamedTuple):
    """A node that has taken a new connection into its table: the ends of its packets, and of the answers.

    Each is source, source port, destination, destination port. A source port of 0 is the client's, not known yet.
    """

    node: str
    first: tuple[str, int, str, int]
    answer: tuple[str, int, str, int]

    @property
    def translated(self) -> bool:
        """Whether answers have to pass this node to be understood."""
        source, sport, destination, dport = self.first
        return self.answer != (destination, dport, source, sport)


class Way(NamedTuple):
    """What becomes of a connection.

    ``deliver``: the kernel connects to ``ip``:``port``, and the server sees ``source`` (a cluster address).
    ``refuse``: it ends with ``error``. ``drop``: nobody answers. ``native``: the address is none of the cluster's.
    """

    kind: Literal["deliver", "refuse", "drop", "native"]
    ip: str = ""
    port: int = 0
    source: str = ""
    error: int = 0
    tracks: tuple[Track, ...] = ()
    """The nodes that it passed."""


NATIVE = Way("native")


def refuse(error: int) -> Way:
    """The connection ends with an errno."""
    return Way("refuse", error=error)


class Map:
    """The places of a cluster and the ways between them."""

    def __init__(self, plan: AddressPlan, occupied: Callable[[str, str, int], bool]) -> None:
        """``occupied(proto, ip, port)``: whether one of ours stands at this address of the kernel."""
        self._plan, self._occupied = plan, occupied
        self._index = _FIRST_INDEX
        self.sites: dict[Place, Site] = {OUTSIDE: self._site(OUTSIDE, OUTSIDE_IP, "")}
        self.hosts: dict[str, Host] = {}
        self._pods: dict[str, Site] = {}
        self._by_ip: dict[str, Host] = {}
        self.balanced: dict[str, list[str]] = {}
        """Addresses of no place → the nodes that the outside sends them to."""

    def add_node(self, spec: NodeSpec) -> None:
        """A node with empty rules. Raises FileExistsError."""
        if spec.name in self.hosts:
            raise FileExistsError(errno.EEXIST, f"node {spec.name} is there already")
        self.sites[node(spec.name)] = self._site(node(spec.name), spec.ip, spec.name)
        self.hosts[spec.name] = host = Host(spec)
        self._by_ip[spec.ip] = self._by_ip[gateway(spec)] = host

    def add_pod(self, uid: str, node_name: str, ip: str) -> None:
        """A pod on a node. Raises FileExistsError, KeyError for an unknown node."""
        if pod(uid) in self.sites:
            raise FileExistsError(errno.EEXIST, f"pod {uid} is there already")
        self.hosts[node_name]
        self.sites[pod(uid)] = self._pods[ip] = self._site(pod(uid), ip, node_name)

    def remove_pod(self, uid: str) -> Site | None:
        """The pod that was removed, or None."""
        site = self.sites.pop(pod(uid), None)
        if site is not None and self._pods.get(site.ip) is site:
            del self._pods[site.ip]
        return site

    def way(self, site: Site, proto: str, ip: str, port: int, source_port: int = 0) -> Way:
        """Where a packet from ``site`` to an IPv4 address ends."""
        if ip == "0.0.0.0":
            ip = LOCALHOST
        if site.place.kind == "node":
            return self._from_node(site, proto, ip, port, source_port)
        if is_loopback(ip):
            return self._to_localhost(site, proto, port)
        if ip == site.ip:
            return self._deliver(site.outer, port, site.ip)
        packet = Packet(proto, site.ip, source_port, ip, port)
        if site.place.kind == "pod":
            return self._through(self.hosts[site.node], packet._replace(in_interface=device(site.place.name)))
        host = self._next_from_outside(ip)
        if host is not None:
            return self._through(host, packet._replace(in_interface="eth0"))
        return self._nowhere(ip, errno.ENETUNREACH)

    def _next_from_outside(self, ip: str) -> Host | None:
        """The node whose address it is, or one of those that share it."""
        if ip in self.balanced:
            names = [name for name in self.balanced[ip] if name in self.hosts]
            return self.hosts[random.choice(names)] if names else None
        host = self._by_ip.get(ip)
        return host if host is not None and ip == host.spec.ip else None

    def _from_node(self, site: Site, proto: str, ip: str, port: int, source_port: int) -> Way:
        host = self.hosts[site.node]
        source = LOCALHOST if is_loopback(ip) else self._address_towards(host, ip)
        return self._through(host, Packet(proto, source, source_port, ip, port), "local")

    def _through(
        self,
        host: Host,
        packet: Packet,
        origin: Literal["local", "forwarded"] = "forwarded",
        tracks: tuple[Track, ...] = (),
    ) -> Way:
        """From the beginning of a node's rules on. ``tracks`` are of the nodes before it."""
        verdict = self._walk(host, packet, origin)
        if verdict.kind == "reject":
            return refuse(_REJECTIONS.get(verdict.reason, errno.ECONNREFUSED))
        if verdict.kind != "accept" or len(tracks) == _MOST_HOPS:
            return Way("drop", tracks=tracks)
        after = verdict.packet
        if not verdict.local and (verdict.masquerade or is_loopback(after.src)):
            after = after._replace(src=self._address_towards(host, after.dst))
        first = (packet.src, packet.sport, packet.dst, packet.dport)
        track = Track(host.spec.name, first, (after.dst, after.dport, after.src, after.sport))
        return self._onwards(host, after, verdict.local, (*tracks, track))

    def _walk(self, host: Host, packet: Packet, origin: Literal["local", "forwarded"]) -> Verdict:
        return walk(
            host.rules,
            packet,
            origin=origin,
            is_local=lambda ip: self._by_ip.get(ip) is host,
            draw=host.dice.random,
            memory=host.memory,
            out_interface=self._interface_towards,
            count=True,
            nft=host.nft,
        )

    def _onwards(self, host: Host, packet: Packet, local: bool, tracks: tuple[Track, ...]) -> Way:
        """From the end of a node's rules to the next place."""
        site = self.sites[node(host.spec.name)]
        if local:
            if is_loopback(packet.dst):
                return self._to_localhost(site, packet.proto, packet.dport)._replace(tracks=tracks)
            return self._arrive(host, site.outer, packet, tracks)
        target = self._pods.get(packet.dst)
        if target is not None and target.node == host.spec.name:
            return self._arrive(host, target.outer, packet, tracks)
        if packet.dst == OUTSIDE_IP:
            return self._deliver(self.sites[OUTSIDE].outer, packet.dport, packet.src)._replace(tracks=tracks)
        neighbour = self._neighbour(host, packet.dst)
        if neighbour is not None:
            return self._through(neighbour, packet._replace(in_interface="eth0", mark=0), tracks=tracks)
        return self._nowhere(packet.dst)._replace(tracks=tracks)

    def _arrive(self, host: Host, ip: str, packet: Packet, tracks: tuple[Track, ...]) -> Way:
        """At a place on ``host``. Answers go straight to the source that is seen there.

        They may miss a node that has translated the destination: the client does not know whose answer that is, and
        no TCP connection comes about.
        """
        client = self._pods.get(packet.src)
        passed = {host.spec.name, client.node if client else ""}
        if source := self._by_ip.get(packet.src):
            passed.add(source.spec.name)
        if packet.proto == "tcp" and any(track.translated and track.node not in passed for track in tracks):
            return Way("drop", tracks=tracks)
        return self._deliver(ip, packet.dport, packet.src)._replace(tracks=tracks)

    def _neighbour(self, host: Host, ip: str) -> Host | None:
        """The other node that an address is routed to."""
        other = self._by_ip.get(ip)
        if other is None and in_cluster(ip):
            other = next((each for each in self.hosts.values() if in_range(ip, each.spec.pod_cidr)), None)
        return other if other is not host else None

    def _nowhere(self, ip: str, no_route: int | None = None) -> Way:
        """No place has the address: on the nodes' wire nobody answers for it; what else a node sends out vanishes.

        The outside itself has no route to the cluster's inner addresses, and is told so: ``no_route``.
        """
        if not in_cluster(ip):
            return NATIVE
        if in_range(ip, str(NODE_CIDR)):
            return refuse(errno.EHOSTUNREACH)
        return Way("drop") if no_route is None else refuse(no_route)

    def _to_localhost(self, site: Site, proto: str, port: int) -> Way:
        """A place's 127.0.0.1: its own range, or the address where those stand that listen on all addresses."""
        private = self._deliver(site.localhost, port, LOCALHOST)
        if self._occupied(proto, private.ip, private.port):
            return private
        return self._deliver(site.outer, port, LOCALHOST)

    def _deliver(self, ip: str, port: int, source: str) -> Way:
        return Way("deliver", ip, self._plan.outer_port(port), source)

    def _interface_towards(self, ip: str) -> str:
        if is_loopback(ip) or ip in self._by_ip:
            return "lo"
        target = self._pods.get(ip)
        return device(target.place.name) if target else "eth0"

    def _address_towards(self, host: Host, ip: str) -> str:
        """The node's address on the interface by which ``ip`` is reached: its own pods see the gateway's."""
        target = self._pods.get(ip)
        return gateway(host.spec) if target and target.node == host.spec.name else host.spec.ip

    def _site(self, place: Place, ip: str, node_name: str) -> Site:
        self._index += 2
        return Site(place, ip, self._plan.outer(ip), self._plan.localhost(ip), node_name, self._index)


def gateway(spec: NodeSpec) -> str:
    """A node's address towards its pods."""
    return spec.pod_cidr.rpartition(".")[0] + ".1"


@lru_cache(4096)
def in_range(ip: str, cidr: str) -> bool:
    """Whether a network holds an address."""
    return ipaddress.IPv4Address(ip) in ipaddress.IPv4Network(cidr, strict=False)


def device(uid: str) -> str:
    """The node's end of a pod's link."""
    return f"veth{zlib.crc32(uid.encode()):08x}"
