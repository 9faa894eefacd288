"""Whose an address is, in a lesson's words: ``web-1``, ``kubelab-worker``, ``Service web:80``, ``outside``.

Addresses and ports are another on every run; what a notebook keeps are the names of those who have them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.errors import LabError
from kubelab.lab.pods import Aliases
from kubelab.lab.survey import everywhere

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

OUTSIDE = "outside"
_NODE = kinds.named("node")
_SERVICE_CIDR = kinds.Kind("networking.k8s.io/v1", "ServiceCIDR", "servicecidrs", namespaced=False)


@dataclass(frozen=True, slots=True)
class Front:
    """An address and a port that clients of a Service send to."""

    service: str
    """Its name; with its namespace when that is not the lab's: ``kube-system/kube-dns``."""
    port: int
    """The Service's own port, whatever port the front has."""
    at: str = ""
    """Empty for the ClusterIP; else whose address it is: a node's name (NodePort), ``its load balancer`` …"""

    def __str__(self) -> str:
        return f"Service {self.service}:{self.port}{f' at {self.at}' if self.at else ''}"


class AddressBook:
    """The addresses of a cluster as they are now. Made by `address_book`."""

    def __init__(self, namespace: str, aliases: Aliases) -> None:
        self._namespace = namespace
        self._aliases = aliases
        self._names: dict[str, str] = {}
        self._nodes: dict[str, str] = {}
        self._fronts: dict[tuple[str, str, int], Front] = {}
        self._pod_networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._service_networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the Services that have an address, sorted."""
        return tuple(sorted({front.service for front in self._fronts.values()}))

    def name(self, address: str) -> str:
        """Whose the address is."""
        return self._names.get(address) or self._nodes.get(address) or self._guessed(address)

    def front(self, protocol: str, address: str, port: int) -> Front | None:
        """The Service that a destination belongs to."""
        return self._fronts.get((protocol, address, port))

    def end(self, protocol: str, address: str, port: int) -> str:
        """A destination: ``Service web:80``, ``web-1:8080``."""
        front = self.front(protocol, address, port)
        return str(front) if front else f"{self.name(address)}:{port}" if port else self.name(address)

    def _guessed(self, address: str) -> str:
        gone = self._aliases.of_address(address)
        if gone is not None:
            return f"{gone} (gone)"
        parsed = ipaddress.ip_address(address)
        if parsed.is_loopback:
            return "itself"
        if _within(parsed, self._pod_networks):
            return "a pod that is gone"
        return "a Service that is gone" if _within(parsed, self._service_networks) else OUTSIDE

    def add_nodes(self, nodes: Iterable[Object]) -> None:
        """Their own addresses, and the first of their pods' network, which is theirs too."""
        for node in nodes:
            name = node["metadata"]["name"]
            for each in (node.get("status") or {}).get("addresses") or ():
                if each["type"] == "InternalIP":
                    self._nodes[each["address"]] = name
            for cidr in node["spec"].get("podCIDRs") or ():
                network = ipaddress.ip_network(cidr)
                self._pod_networks.append(network)
                self._names[str(network.network_address + 1)] = name

    def add_pods(self, pods: Iterable[Object]) -> None:
        """The pods of the lab's namespace by alias, others with theirs. One on its node's network has no address."""
        by_namespace: dict[str, list[Object]] = {}
        for each in pods:
            if not each["spec"].get("hostNetwork"):
                by_namespace.setdefault(each["metadata"].get("namespace", self._namespace), []).append(each)
        for namespace, theirs in by_namespace.items():
            own = namespace == self._namespace
            for pod in (self._aliases if own else Aliases()).view(theirs):
                if pod.ip and pod.phase not in ("Succeeded", "Failed"):
                    self._names[pod.ip] = pod.alias if own else f"{namespace}/{pod.alias}"

    def add_services(self, services: Iterable[Object]) -> None:
        """Every address and port by which they are reached; the nodes must be known before."""
        for service in services:
            for port in service["spec"].get("ports") or ():
                self._add_port(service, port)

    def _add_port(self, service: Object, port: Object) -> None:
        metadata, spec = service["metadata"], service["spec"]
        namespace = metadata.get("namespace", self._namespace)
        name = metadata["name"] if namespace == self._namespace else f"{namespace}/{metadata['name']}"
        protocol, number = port.get("protocol", "TCP").lower(), port["port"]
        addresses = [each for each in spec.get("clusterIPs") or [spec.get("clusterIP")] if each and each != "None"]
        reached = [(address, number, "") for address in addresses]
        reached += [(address, number, "an external IP") for address in spec.get("externalIPs") or ()]
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        reached += [(each["ip"], number, "its load balancer") for each in ingress if "ip" in each]
        if port.get("nodePort"):
            reached += [(address, port["nodePort"], node) for address, node in self._nodes.items()]
        for address, reached_port, at in reached:
            self._fronts[protocol, address, reached_port] = Front(name, number, at)

    def add_service_networks(self, cidrs: Iterable[Object]) -> None:
        """The ranges that ClusterIPs are taken from."""
        for each in cidrs:
            self._service_networks += [ipaddress.ip_network(cidr) for cidr in each["spec"].get("cidrs") or ()]


def address_book(lab: Lab) -> AddressBook:
    """Ask the API who has which address. What a workshop's learner may not see is left out."""
    book = AddressBook(lab.namespace, lab.aliases)
    book.add_nodes(everywhere(lab, _NODE))
    book.add_service_networks(everywhere(lab, _SERVICE_CIDR))
    book.add_pods(everywhere(lab, kinds.POD))
    book.add_services(everywhere(lab, kinds.SERVICE))
    return book


def named_service(lab: Lab, book: AddressBook, name: str) -> str:
    """The name of a Service as the book has it. Raises `LabError` when there is none with an address."""
    known = name.removeprefix("service/").removeprefix(f"{lab.namespace}/")
    if known not in book.services:
        there = ", ".join(service for service in book.services if "/" not in service) or "none"
        raise LabError(f"There is no Service {name!r} with an address; {lab.namespace} has {there}.")
    return known


def _within(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> bool:
    return any(address.version == network.version and address in network for network in networks)
