"""Service addresses and node ports: who has which, and which is next.

What is taken is read off the Services and IPAddresses, so nothing has to be released and a dry run costs nothing.
Both ranges keep their lower end for addresses that people choose; what the server chooses comes from the upper
band while there is room. Sources: KEP-3070 (ClusterIPs) and KEP-3668 (node ports).
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable, Iterator
from itertools import chain

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.storage import Event, Key, Shelf, Stored
from kubelab.engine.config import NODE_PORT_RANGE, SERVICE_CIDR

HEADLESS = "None"


def static_band(size: int, *, smallest: int, step: int, largest: int) -> int:
    """How many values at the lower end are left to people: ``min(max(smallest, size / step), largest)``."""
    return 0 if size <= smallest else min(max(smallest, size // step), largest)


class Refused(Exception):
    """The value cannot be given; the message says why in upstream's words."""


class Allocator:
    """Integers of a range, each held by at most one owner."""

    def __init__(self, first: int, last: int, band: int) -> None:
        self._first, self._last, self._band = first, last, band
        self._holders: dict[int, Key] = {}

    def holder(self, value: int) -> Key | None:
        """Who has it."""
        return self._holders.get(value)

    def hold(self, value: int, owner: Key) -> None:
        """Note that it is taken."""
        self._holders[value] = owner

    def free(self, value: int, owner: Key) -> None:
        """Note that the owner no longer has it."""
        if self._holders.get(value) == owner:
            del self._holders[value]

    def contains(self, value: int) -> bool:
        """Whether it is in the range."""
        return self._first <= value <= self._last

    def choose(self, besides: Iterable[int] = ()) -> int:
        """A free value, from the upper band if there is one, else from the lower. Raises `Refused`."""
        taken = set(besides)
        for low, high in ((self._first + self._band, self._last), (self._first, self._first + self._band - 1)):
            if high < low:
                continue
            begin = random.randint(low, high)
            for value in chain(range(begin, high + 1), range(low, begin)):
                if value not in self._holders and value not in taken:
                    return value
        raise Refused("range is full")


class ServiceAllocations:
    """Follows the shelves of Services, for their node ports, and of IPAddresses."""

    def __init__(self, services: Shelf, addresses: Shelf) -> None:
        size = SERVICE_CIDR.num_addresses - 2
        network = int(SERVICE_CIDR.network_address)
        self._ips = Allocator(network + 1, network + size, static_band(size, smallest=16, step=16, largest=256))
        ports = NODE_PORT_RANGE
        band = static_band(len(ports), smallest=16, step=32, largest=128)
        self._ports = Allocator(ports.start, ports.stop - 1, band)
        for stored in services.objects.values():
            self._hold_ports(stored)
        for stored in addresses.objects.values():
            self._hold_address(stored)
        services.listeners.append(self._follow_service)
        addresses.listeners.append(self._follow_address)

    def _follow_service(self, event: Event) -> None:
        if event.old is not None:
            for port in node_ports(event.old.obj):
                self._ports.free(port, event.old.key)
        if event.type != "DELETED":
            self._hold_ports(event.new)

    def _hold_ports(self, stored: Stored) -> None:
        for port in node_ports(stored.obj):
            self._ports.hold(port, stored.key)

    def _follow_address(self, event: Event) -> None:
        if event.type == "DELETED":
            self._ips.free(int(ipaddress.ip_address(event.new.key[1])), _holder(event.new.obj))
        else:
            self._hold_address(event.new)

    def _hold_address(self, stored: Stored) -> None:
        self._ips.hold(int(ipaddress.ip_address(stored.key[1])), _holder(stored.obj))

    def take_ip(self, wanted: str, owner: Key) -> str:
        """The address asked for, or a free one when none is. Raises `Refused`."""
        if not wanted:
            return str(ipaddress.ip_address(self._ips.choose()))
        address = ipaddress.ip_address(wanted)
        if not self._ips.contains(int(address)):  # the network's own and its broadcast address are nobody's
            raise Refused("the provided network does not match the current range")
        if self._ips.holder(int(address)) not in (None, owner):
            raise Refused("provided IP is already allocated")
        return wanted

    def take_port(self, wanted: int, owner: Key, mine: Iterable[int]) -> int:
        """The node port asked for (0: a free one that is not in ``mine``). Raises `Refused`."""
        if not wanted:
            return self._ports.choose(mine)
        if not self._ports.contains(wanted):
            span = f"{NODE_PORT_RANGE.start}-{NODE_PORT_RANGE.stop - 1}"
            raise Refused(f"provided port is not in the valid range. The range of valid ports is {span}")
        if self._ports.holder(wanted) not in (None, owner):
            raise Refused("provided port is already allocated")
        return wanted


def _holder(address: Object) -> Key:
    parent = address["spec"]["parentRef"]
    if parent["resource"] == "services" and not parent.get("group"):
        return parent.get("namespace", ""), parent["name"]
    return "", f"{parent['resource']}/{parent['name']}"


def cluster_ips(service: Object) -> Iterator[int]:
    """The IPv4 addresses that a Service holds."""
    for text in service["spec"].get("clusterIPs") or []:
        if text != HEADLESS and ":" not in text:
            yield int(ipaddress.IPv4Address(text))


def node_ports(service: Object) -> Iterator[int]:
    """The node ports that a Service holds, that of its health check among them."""
    for port in service["spec"].get("ports") or []:
        if port.get("nodePort"):
            yield port["nodePort"]
    if service["spec"].get("healthCheckNodePort"):
        yield service["spec"]["healthCheckNodePort"]
