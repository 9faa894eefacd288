"""Who may talk with a learner's pods, and with whom these may: a NetworkPolicy.

(https://kubernetes.io/docs/concepts/services-networking/network-policies/) It is enforced by the cluster's network
plugin; whether there is one that does, the API cannot say.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kubelab.workshop.facts import Facts

NODE_LOCAL_DNS = "169.254.20.10"
"""The usual address of NodeLocal DNSCache
(https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/)."""
_DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
_OWN: dict[str, Any] = {"podSelector": {}}


def isolation(facts: Facts) -> dict[str, Any]:
    """The ``spec``: in from the own namespace, from Ingress controllers and from outside; out to the own namespace,
    to Ingress controllers, DNS and the API.

    Services' own addresses may be asked for too: what is behind them is a pod with a policy of its own, and where
    nothing is, kube-proxy refuses the connection as it does everywhere, instead of it being lost.

    The outside is everything that is no pod, as far as the nodes tell where pods are: NodePorts and load balancers are
    reached from there.
    """
    controllers = [_namespace(name) for name in facts.ingress_namespaces]
    ingress: list[dict[str, Any]] = [{"from": [_OWN, *controllers]}]
    if facts.pod_ranges:
        ingress.append({"from": _everything_but(facts.pod_ranges)})
    dns = [{**_namespace("kube-system"), "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}},
           *(_address(each) for each in (facts.dns_address, NODE_LOCAL_DNS) if each)]  # fmt: skip
    egress: list[dict[str, Any]] = [{"to": [_OWN, *controllers]}, {"to": dns, "ports": _DNS_PORTS}]
    if facts.service_ranges:
        egress.append({"to": [_address(each) for each in facts.service_ranges]})
    for port in sorted({port for _, port in facts.api_endpoints}):
        to = [_address(address) for address, its in facts.api_endpoints if its == port]
        egress.append({"to": to, "ports": [{"protocol": "TCP", "port": port}]})
    return {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": ingress, "egress": egress}


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _address(address: str) -> dict[str, Any]:
    return {"ipBlock": {"cidr": str(ipaddress.ip_network(address))}}


def _everything_but(ranges: tuple[str, ...]) -> list[dict[str, Any]]:
    blocks = []
    for version, everything in (4, "0.0.0.0/0"), (6, "::/0"):
        pods = [each for each in ranges if ipaddress.ip_network(each).version == version]
        if pods:
            blocks.append({"ipBlock": {"cidr": everything, "except": pods}})
    return blocks
