"""The node's pod addresses: handed out in turn, so that one is not used again soon."""

from __future__ import annotations

import ipaddress


class OutOfAddresses(Exception):
    """Every address of the node's range is taken."""


class PodAddresses:
    """Addresses of a pod range from .2 on (.1 is the node's own end)."""

    def __init__(self, pod_cidr: str) -> None:
        network = ipaddress.ip_network(pod_cidr)
        self._cidr = pod_cidr
        self._first = int(network.network_address) + 2
        self._count = network.num_addresses - 3  # without the network's, the gateway's and the broadcast address
        self._next = 0
        self._owner: dict[int, str] = {}

    def keep(self, uid: str, ip: str) -> bool:
        """Take a certain address for a pod that has it already; whether it is the pod's now."""
        place = int(ipaddress.ip_address(ip)) - self._first
        if not 0 <= place < self._count or self._owner.get(place, uid) != uid:
            return False
        self._owner[place] = uid
        self._next = max(self._next, place + 1) % self._count
        return True

    def take(self, uid: str) -> str:
        """A free address, the one of this pod if it has one. Raises `OutOfAddresses`."""
        for place, owner in self._owner.items():
            if owner == uid:
                return self._text(place)
        for step in range(self._count):
            place = (self._next + step) % self._count
            if place not in self._owner:
                self._owner[place] = uid
                self._next = (place + 1) % self._count
                return self._text(place)
        raise OutOfAddresses(f"no address is free in {self._cidr}: delete pods from this node")

    def release(self, uid: str) -> None:
        """Give the pod's address back."""
        self._owner = {place: owner for place, owner in self._owner.items() if owner != uid}

    def _text(self, place: int) -> str:
        return str(ipaddress.ip_address(self._first + place))
