"""The interfaces and routes of a place, as the namespace carriers lay them (``topology.py``).

No packet passes them here: they say the ways that `routing` takes. In the shape of ``ip -j``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from kubelab.engine.config import OUTSIDE_IP
from kubelab.engine.network.agent.interposed.places import Site
from kubelab.engine.network.agent.interposed.routing import Map, device, gateway, in_range
from kubelab.engine.network.contract import OUTSIDE, node

Link = dict[str, Any]
Route = dict[str, Any]

_ALWAYS = 4_294_967_295
_BRIDGE = 1000
_WIRE = "172.18.0.0/16"


class Links:
    """Asks a `Map` for what each place would show."""

    def __init__(self, places: Map) -> None:
        self._map = places

    def interfaces(self, site: Site) -> list[Link]:
        """The interfaces of a place, with their addresses."""
        return [_loopback(), *self._others(site)]

    def _others(self, site: Site) -> Iterator[Link]:
        if site.place == OUTSIDE:
            yield _link(_BRIDGE, "br0", None, OUTSIDE_IP, 16)
            nodes = [self._map.sites[node(name)] for name in self._map.hosts]
            for each in nodes:
                yield _link(each.index - 1, device(f"eth0 {each.node}"), each.index, master="br0")
        elif site.place.kind == "node":
            yield _link(site.index, "eth0", site.index - 1, site.ip, 16)
            for each in self._pods(site):
                own = gateway(self._map.hosts[site.node].spec)
                yield _link(each.index - 1, device(each.place.name), each.index, own, 32)
        else:
            yield _link(site.index, "eth0", site.index - 1, site.ip, 32)

    def routes(self, site: Site) -> list[Route]:
        """The routes of a place's main table, sorted as the kernel keeps them."""
        if site.place == OUTSIDE:
            return [_direct(_WIRE, "br0", OUTSIDE_IP)]
        if site.place.kind == "pod":
            own = gateway(self._map.hosts[site.node].spec)
            return [_via("default", own), _on(own, "eth0")]
        others = [host.spec for name, host in self._map.hosts.items() if name != site.node]
        inner = {spec.pod_cidr: _via(spec.pod_cidr, spec.ip) for spec in others}
        inner |= {each.ip: _on(each.ip, device(each.place.name)) for each in self._pods(site)}
        return [_via("default", OUTSIDE_IP), *_sorted(inner), _direct(_WIRE, "eth0", site.ip)]

    def local_routes(self, site: Site) -> list[Route]:
        """The routes of the table ``local``: the place's own addresses."""
        found = [_own("local", "127.0.0.0/8", "lo", "127.0.0.1")]
        for link in self.interfaces(site):
            for address in (each for each in link["addr_info"] if each["family"] == "inet"):
                found.append(_own("local", address["local"], link["ifname"], address["local"]))
                if broadcast := address.get("broadcast"):
                    found.append(_own("broadcast", broadcast, link["ifname"], address["local"]))
        found.insert(2, _own("broadcast", "127.255.255.255", "lo", "127.0.0.1"))
        return found

    def route_to(self, site: Site, ip: str) -> Route | None:
        """The route that a packet to an address takes; None when there is none."""
        for link in self.interfaces(site):
            if any(each["local"] == ip for each in link["addr_info"]) or (link["ifname"] == "lo" and ip[:4] == "127."):
                return _own("local", ip, "lo", ip)
        found = [route for route in self.routes(site) if route["dst"] == "default" or in_range(ip, route["dst"])]
        best = max(found, key=_length, default=None)
        return {"prefsrc": _source(self.interfaces(site), best["dev"]), **best, "dst": ip} if best else None

    def _pods(self, site: Site) -> list[Site]:
        return [each for each in self._map.sites.values() if each.place.kind == "pod" and each.node == site.node]


def _length(route: Route) -> int:
    return -1 if route["dst"] == "default" else int(route["dst"].partition("/")[2] or 32)


def _source(links: Iterable[Link], name: str) -> str:
    return next((each["local"] for link in links if link["ifname"] == name for each in link["addr_info"]), "")


def _sorted(routes: dict[str, Route]) -> list[Route]:
    return [routes[key] for key in sorted(routes, key=lambda text: tuple(map(int, text.partition("/")[0].split("."))))]


def _via(target: str, ip: str) -> Route:
    return {"dst": target, "gateway": ip, "dev": "eth0", "protocol": "static", "flags": []}


def _on(target: str, name: str) -> Route:
    return {"dst": target, "dev": name, "protocol": "static", "scope": "link", "flags": []}


def _direct(target: str, name: str, source: str) -> Route:
    return {"dst": target, "dev": name, "protocol": "kernel", "scope": "link", "prefsrc": source, "flags": []}


def _own(kind: str, target: str, name: str, source: str) -> Route:
    scope = "host" if kind == "local" else "link"
    return {"type": kind, "dst": target, "dev": name, "table": "local", "protocol": "kernel", "scope": scope,
            "prefsrc": source, "flags": []}  # fmt: skip


def _loopback() -> Link:
    return {
        "ifindex": 1, "ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"], "mtu": 65536, "qdisc": "noqueue",
        "operstate": "UNKNOWN", "group": "default", "txqlen": 1000, "link_type": "loopback",
        "address": "00:00:00:00:00:00", "broadcast": "00:00:00:00:00:00",
        "addr_info": [_address("127.0.0.1", 8, "host", "lo")],
    }  # fmt: skip


def _link(index: int, name: str, peer: int | None, ip: str = "", prefix: int = 0, master: str = "") -> Link:
    said: Link = {"ifindex": index}
    if peer is not None:
        said["link_index"] = peer
    said |= {"ifname": name, "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"], "mtu": 1500, "qdisc": "noqueue"}
    if master:
        said["master"] = master
    said |= {
        "operstate": "UP", "group": "default", "txqlen": 1000, "link_type": "ether", "address": _mac(index),
        "broadcast": "ff:ff:ff:ff:ff:ff",
    }  # fmt: skip
    if peer is not None:
        said["link_netnsid"] = 0
    return {**said, "addr_info": [_address(ip, prefix, "global", name)] if ip else []}


def _address(ip: str, prefix: int, scope: str, label: str) -> dict[str, Any]:
    said: dict[str, Any] = {"family": "inet", "local": ip, "prefixlen": prefix}
    if prefix == 16:
        said["broadcast"] = "172.18.255.255"
    return {**said, "scope": scope, "label": label, "valid_life_time": _ALWAYS, "preferred_life_time": _ALWAYS}


def _mac(index: int) -> str:
    """A locally administered address, always the same for an interface."""
    return ":".join(["02", *(f"{byte:02x}" for byte in zlib.crc32(b"%d" % index).to_bytes(4, "big")), "00"])
