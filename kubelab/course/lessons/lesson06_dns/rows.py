"""The twelve questions of the lesson, and the words for what an answer may be."""

from __future__ import annotations

from typing import NamedTuple

from kubelab.course.catalogue import Question
from kubelab.lab.api import Object
from kubelab.lab.lookup import Lookup

SERVICES_ADDRESS = "the Service's address"
PODS_ADDRESSES = "the pods' addresses"
ONE_POD = "one pod's address"
IN_THE_NAME = "the address in the name"
ALIAS = "an alias"
PORT = "a port and the Service's name"
PORTS = "a port and a name for each pod"
NAME = "a name"
NO_RECORD = "no record of that type"
NO_NAME = "no such name"
SEEN = (SERVICES_ADDRESS, PODS_ADDRESSES, ONE_POD, IN_THE_NAME, ALIAS, PORT, PORTS, NAME, NO_RECORD, NO_NAME)
"""What a name server may answer."""


class Row(NamedTuple):
    """One question to the name server."""

    id: str
    words: str
    asked: str
    """As it is shown: without namespace and domain."""
    type: str
    suffix: str = "svc.cluster.local"
    """Behind the namespace. Nothing: ``asked`` is no name but whose address is to be turned round."""

    @property
    def question(self) -> Question:
        """To be predicted."""
        return Question(f"6.{self.id}", f"{self.words}: what is the answer to {self.shown}?", options=SEEN)

    @property
    def shown(self) -> str:
        """``crowd SRV``."""
        return f"{self.asked} {self.type}"


ROWS = (
    Row("clusterip", "a Service", "web", "A"),
    Row("headless", "a headless Service", "crowd", "A"),
    Row("empty", "a Service without pods", "empty", "A"),
    Row("headless-empty", "a headless Service without pods", "nobody", "A"),
    Row("external-name", "a Service of type ExternalName", "alias", "A"),
    Row("aaaa", "a Service, asked for IPv6", "web", "AAAA"),
    Row("port", "a port of a Service", "_http._tcp.web", "SRV"),
    Row("headless-port", "a port of a headless Service", "_http._tcp.crowd", "SRV"),
    Row("hostname", "a pod's hostname in front of its subdomain", "alpha.crowd", "A"),
    Row("pod-name", "a pod's name alone", "alpha", "A"),
    Row("pod-address", "a name made of an address that no pod has", "1-2-3-4", "A", "pod.cluster.local"),
    Row("reverse", "a Service's address, backwards", "web", "PTR", ""),
)
BY_ID = {row.id: row for row in ROWS}


def reverse(address: str) -> str:
    """``10.0.0.1`` → ``1.0.0.10.in-addr.arpa.`` (RFC 1035, section 3.5)."""
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa."


def seen(found: Lookup, services: frozenset[str], pods: frozenset[str]) -> str:
    """One of `SEEN`; the addresses of the Services and of the pods are given."""
    if not found:
        return {"NOERROR": NO_RECORD, "NXDOMAIN": NO_NAME}.get(found.code, found.code)
    if any(record.type == "CNAME" for record in found.records):
        return ALIAS
    if found.type == "SRV":
        # Behind priority, weight and port stands the target: a Service's name, or one label more.
        longest = max(record.data.split()[-1].count(".") for record in found.records)
        return PORTS if longest > "web.namespace.svc.cluster.local".count(".") else PORT
    if found.type == "PTR":
        return NAME
    addresses = frozenset(found.addresses)
    if addresses <= services:
        return SERVICES_ADDRESS
    if addresses <= pods:
        return ONE_POD if len(addresses) == 1 else PODS_ADDRESSES
    return IN_THE_NAME


def cluster_ips(services: list[Object]) -> dict[str, str]:
    """Service → its address, for those that have one."""
    found = {service["metadata"]["name"]: service["spec"].get("clusterIP", "") for service in services}
    return {name: address for name, address in found.items() if address not in ("", "None")}
