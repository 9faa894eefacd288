"""Routes and addresses of nodes that have no tables of their own to read: as the Node objects have them laid.

A network plugin like kindnet's lays them so: a route to every other node's pods by that node, a link to each own pod.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from kubelab.lab.api import Object

OUTSIDE_ADDRESS = "172.18.0.1"
"""The nodes' gateway, which is the client outside (`kubelab.lab.survey` asks only for clusters of our own)."""
_STREET = "172.18.0.0/16"


@dataclass(frozen=True)
class Laid:
    """What ``ip addr`` and ``ip route`` would say."""

    addresses: str
    routes: str


def lay(nodes: Iterable[Object], pods: Iterable[Object]) -> dict[str, Laid]:
    """Each node's, and those of the place ``outside``."""
    known = {node["metadata"]["name"]: (_address(node), node["spec"].get("podCIDR", "")) for node in nodes}
    links: dict[str, list[str]] = {name: [] for name in known}
    for pod in pods:
        ip, node = (pod.get("status") or {}).get("podIP"), pod["spec"].get("nodeName")
        if ip and node in links and not pod["spec"].get("hostNetwork"):
            links[node].append(ip)
    found = {"outside": _laid(OUTSIDE_ADDRESS, [], [])}
    for name, (address, own) in known.items():
        routes = [f"{net} via {ip} dev eth0" for ip, net in known.values() if net and net != own]
        gateway = [str(ipaddress.ip_network(own)[1])] if own else []
        found[name] = _laid(address, [f"default via {OUTSIDE_ADDRESS} dev eth0", *routes], links[name], *gateway)
    return found


def _laid(address: str, routes: list[str], pods: list[str], gateway: str = "") -> Laid:
    """``gateway``: the address that the node has on the links to its pods."""
    links = [f"pod{number}" for number in range(len(pods))]
    addresses = ["1: lo inet 127.0.0.1/8 scope host lo", f"2: eth0 inet {address}/16 scope global eth0"]
    addresses += [f"3: {link} inet {gateway}/32 scope global {link}" for link in links if gateway]
    direct = [f"{_STREET} dev eth0 scope link src {address}"]
    direct += [f"{ip} dev {link} scope host" for ip, link in zip(pods, links, strict=True)]
    return Laid("\n".join(addresses) + "\n", "\n".join([*routes, *direct]) + "\n")


def _address(node: Object) -> str:
    return next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
