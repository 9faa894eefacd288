"""Routes and addresses of one network namespace, as the ``ip`` program prints them, in words or as JSON."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kubelab.rules.addresses import inside, network
from kubelab.trace.errors import CannotRead

REFUSING = ("blackhole", "unreachable", "prohibit", "throw")
_KINDS = ("unicast", "local", "broadcast", "multicast", "anycast", "nat", *REFUSING)
_INTERFACE = re.compile(r"\d+: ([^:@\s]+)")


@dataclass(frozen=True, slots=True)
class Route:
    """One way to a network. ``kind`` is ``unicast`` for an ordinary one."""

    network: str
    gateway: str = ""
    interface: str = ""
    source: str = ""
    kind: str = "unicast"
    metric: int = 0
    table: str = "main"

    def __str__(self) -> str:
        words = ["default" if self.network.endswith("/0") else self.network]
        if self.kind != "unicast":
            words.insert(0, self.kind)
        if self.gateway:
            words += ["via", self.gateway]
        if self.interface:
            words += ["dev", self.interface]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an interface; ``prefix`` in bits."""

    address: str
    prefix: int
    interface: str
    scope: str = "global"


def read_routes(text: str) -> tuple[Route, ...]:
    """The output of ``ip route`` (or of ``ip -6 route``, ``ip route show table all``, ``ip -j route``).

    Raises `CannotRead`.
    """
    stripped = text.strip()
    if stripped.startswith("["):
        try:
            return tuple(_route_of(entry) for entry in _json(stripped, "ip -j route"))
        except (AttributeError, ValueError) as error:
            raise CannotRead(f"This is not the output of `ip -j route`: {error}.") from error
    return tuple(_route(line) for line in stripped.splitlines() if line.strip() and not line.startswith("\t"))


def _json(text: str, program: str) -> list[dict[str, Any]]:
    try:
        return [entry for entry in json.loads(text) if entry]
    except ValueError as error:
        raise CannotRead(f"This is not the output of `{program}`: {error}.") from error


def _route_of(entry: dict[str, Any]) -> Route:
    return Route(
        _network(entry.get("dst", "default"), entry.get("gateway", "")),
        entry.get("gateway", ""),
        entry.get("dev", ""),
        entry.get("prefsrc", ""),
        entry.get("type", "unicast"),
        entry.get("metric", 0),
        str(entry.get("table", "main")),
    )


def _network(text: str, gateway: str = "") -> str:
    if text == "default":
        return "::/0" if ":" in gateway else "0.0.0.0/0"
    return str(ipaddress.ip_network(text, strict=False))


def _route(line: str) -> Route:
    words = line.split()
    kind = words.pop(0) if words[0] in _KINDS else "unicast"
    said = dict(pairwise(words[1:]))
    try:
        net = _network(words[0], said.get("via", ""))
        for address in (said.get("via"), said.get("src")):
            if address is not None and address not in ("inet", "inet6"):
                ipaddress.ip_address(address)
    except (IndexError, ValueError) as error:
        raise CannotRead(f"This is no line of `ip route`: {line.strip()!r}.") from error
    metric = int(said["metric"]) if said.get("metric", "").isdigit() else 0
    table = said.get("table", "main")
    return Route(net, said.get("via", ""), said.get("dev", ""), said.get("src", ""), kind, metric, table)


def read_addresses(text: str) -> tuple[Address, ...]:
    """The output of ``ip addr``, ``ip -o addr`` or ``ip -j addr``. Raises `CannotRead`."""
    stripped = text.strip()
    if stripped.startswith("["):
        try:
            return tuple(
                Address(info["local"], info["prefixlen"], link["ifname"], info.get("scope", "global"))
                for link in _json(stripped, "ip -j addr")
                for info in link.get("addr_info", ())
                if "local" in info
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise CannotRead(f"This is not the output of `ip -j addr`: {error!r}.") from error
    found = []
    interface = ""
    for number, line in enumerate(stripped.splitlines(), 1):
        words = line.split()
        if heading := _INTERFACE.match(line):
            interface = heading[1]
        for at, word in enumerate(words[:-1]):
            if word in ("inet", "inet6"):
                try:
                    found.append(_address(words[at + 1 :], interface or words[1]))
                except (IndexError, ValueError) as error:
                    raise CannotRead(f"Line {number} is no line of `ip addr`: {line.strip()!r}.") from error
    if stripped and not found and not interface:
        raise CannotRead("This is not the output of `ip addr`: it names no interface.")
    return tuple(found)


def _address(words: list[str], interface: str) -> Address:
    address, _, prefix = words[0].partition("/")
    ipaddress.ip_address(address)
    scope = words[words.index("scope") + 1] if "scope" in words else "global"
    return Address(address, int(prefix or (128 if ":" in address else 32)), interface, scope)


def best(routes: Iterable[Route], address: str, tables: tuple[str, ...] = ("main", "default")) -> Route | None:
    """The route that the kernel takes in a table: the longest prefix, then the lowest metric."""
    usable = (route for route in routes if route.kind in ("unicast", *REFUSING) and route.table in tables)
    found = [route for route in usable if inside(address, route.network)]
    return max(found, key=lambda route: (network(route.network)[2], -route.metric), default=None)


def refuses(route: Route) -> bool:
    """Whether the route leads nowhere by intention."""
    return route.kind in REFUSING
