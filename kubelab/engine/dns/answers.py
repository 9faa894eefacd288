"""The answers of the cluster's zones: a pure function of a question and a snapshot of the cluster.

The records are those of Kubernetes' DNS specification 1.1.0; what it leaves open, and a few odd corners, are as CoreDNS
1.14 has them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kubelab.engine.config import CLUSTER_DOMAIN
from kubelab.engine.dns.records import Answer, Data, Question, Record, Soa, Srv
from kubelab.engine.dns.snapshot import Endpoint, Key, Port, ServiceNames, Snapshot

SPECIFICATION_VERSION = "1.1.0"
SPECIFICATION_TTL = 28800

_LONGEST_CHASE = 8


@dataclass(frozen=True)
class Rules:
    """A ``kubernetes`` block of a Corefile, with CoreDNS' own defaults."""

    domain: str = CLUSTER_DOMAIN
    """The zone that names lead back to."""
    ttl: int = 5
    pods: str = "disabled"
    """``insecure`` answers for every address, ``verified`` for those that a pod of the namespace has."""
    ignore_empty_service: bool = False
    own: frozenset[str] = frozenset()
    """The addresses of the name server's pod."""


KUBEADM = Rules(ttl=30, pods="insecure")


def answer(question: Question, snapshot: Snapshot, rules: Rules = KUBEADM, zone: str = CLUSTER_DOMAIN) -> Answer:
    """The answer of ``zone``, in which the question's name is."""
    return _Lookup(question, snapshot, rules, zone).answer()


@dataclass(frozen=True)
class _Lookup:
    question: Question
    snapshot: Snapshot
    rules: Rules
    zone: str

    def answer(self) -> Answer:
        name = self.question.name.lower()
        if name.endswith((".in-addr.arpa", ".ip6.arpa")) or self.zone in ("in-addr.arpa", "ip6.arpa"):
            return self._reverse(name)
        base = name.removesuffix(self.zone).rstrip(".")
        labels = base.split(".") if base else []
        if self.question.type == "TXT":
            return self._text(labels)
        match labels:
            case []:
                return self._apex()
            case ["ns", "dns"]:
                return self._records(_address(self.question.name, ip) for _, ip in self._name_servers())
            case ["svc" | "pod"]:
                return self._nothing()
            case [_, _, _, _, _, *_, "svc" | "pod"]:
                return self._no_such_name()
            case [*_, namespace, "svc" | "pod"] if namespace not in self.snapshot.namespaces:
                return self._no_such_name()
            case [_, "svc" | "pod"]:
                return self._nothing()
            case [*_, dashed, namespace, "pod"]:
                return self._pod(dashed, namespace)
            case [service, namespace, "svc"]:
                return self._service((namespace, service))
            case [endpoint, service, namespace, "svc"]:
                return self._endpoint(endpoint, (namespace, service))
            case [port, protocol, service, namespace, "svc"]:
                return self._named_port(port.removeprefix("_"), protocol.removeprefix("_"), (namespace, service))
        return self._no_such_name()

    def _soa(self) -> Record:
        names = (f"ns.dns.{self.zone}", f"hostmaster.{self.zone}")
        soa = Soa(*names, serial=self.snapshot.modified, minimum=self.rules.ttl)
        return Record(self.zone, "SOA", soa, min(self.rules.ttl, 300))

    def _no_such_name(self) -> Answer:
        return Answer("NXDOMAIN", authority=(self._soa(),))

    def _nothing(self) -> Answer:
        """The name is there and has no record of this type."""
        return Answer(authority=(self._soa(),))

    def _like(self, type_: str, data: Data) -> Record:
        """A record with the very name that was asked for."""
        return Record(self.question.name, type_, data, self.rules.ttl)

    def _records(self, found: Iterable[Record], additional: Iterable[Record] = ()) -> Answer:
        """Those of the type that was asked for."""
        wanted = tuple(self._timed(record) for record in found if record.type == self.question.type)
        beside = tuple(map(self._timed, additional))
        return Answer(answers=wanted, additional=beside) if wanted else self._nothing()

    def _timed(self, record: Record) -> Record:
        return record._replace(ttl=self.rules.ttl)

    def _text(self, labels: list[str]) -> Answer:
        """Whatever the name, a question for text is never denied."""
        if labels != ["dns-version"]:
            return self._nothing()
        return Answer(answers=(self._like("TXT", SPECIFICATION_VERSION)._replace(ttl=SPECIFICATION_TTL),))

    def _apex(self) -> Answer:
        if self.question.type == "SOA":
            return Answer(answers=(self._soa(),))
        servers = self._name_servers() if self.question.type == "NS" else []
        names = dict.fromkeys(name for name, _ in servers)
        return self._records((self._like("NS", name) for name in names), (_address(*each) for each in servers))

    def _name_servers(self) -> list[tuple[str, str]]:
        """Names and addresses of the Services that lead to this name server; its own address when there is none."""
        found = []
        for own in sorted(self.rules.own):
            for endpoint, name, namespace in self.snapshot.by_ip.get(own, ()):
                service = self.snapshot.services[namespace, name]
                full = f"{name}.{namespace}.svc.{self.zone}"
                found += [(full, ip) for ip in service.cluster_ips] or [(f"{endpoint}.{full}", own)]
        return found or [(f"ns.dns.{self.zone}", own) for own in sorted(self.rules.own)]

    def _pod(self, dashed: str, namespace: str) -> Answer:
        """``10-244-1-7.default.pod``, with any labels in front."""
        ip = dashed.replace("-", "." if dashed.count("-") == 3 and "--" not in dashed else ":")
        address = _parsed(ip)
        if address is None or self.rules.pods == "disabled":
            return self._no_such_name()
        if self.rules.pods == "verified" and (namespace, address) not in self.snapshot.pods:
            return self._no_such_name()
        return self._records([_address(self.question.name, address)])

    def _service(self, key: Key) -> Answer:
        service = self.snapshot.services.get(key, ServiceNames())
        if service.external_name:
            return self._alias(service.external_name)
        if self.rules.ignore_empty_service and not service.endpoints:
            return self._no_such_name()
        if service.cluster_ips:
            if self.question.type == "SRV":
                return self._service_ports(key, service, service.ports)
            return self._addresses(service.cluster_ips)
        if not service.endpoints:
            return self._no_such_name()
        if self.question.type == "SRV":
            return self._endpoint_ports(key, service.endpoints, None)
        return self._addresses(endpoint.ip for endpoint in service.endpoints)

    def _addresses(self, ips: Iterable[str]) -> Answer:
        return self._records(_address(self.question.name, ip) for ip in ips)

    def _endpoint(self, label: str, key: Key) -> Answer:
        service = self.snapshot.services.get(key, ServiceNames())
        found = tuple(endpoint for endpoint in service.endpoints if endpoint.hostname.lower() == label)
        if not found:
            return self._no_such_name()
        if self.question.type == "SRV":
            return self._endpoint_ports(key, found, None)
        return self._addresses(endpoint.ip for endpoint in found)

    def _named_port(self, port: str, protocol: str, key: Key) -> Answer:
        service = self.snapshot.services.get(key, ServiceNames())
        if service.external_name:
            return self._alias(service.external_name)

        def asked(each: Port) -> bool:
            return each.name.lower() == port and each.protocol == protocol

        if service.cluster_ips:
            ports = tuple(each for each in service.ports if asked(each))
            if not ports:
                return self._no_such_name()
            if self.question.type == "SRV":
                return self._service_ports(key, service, ports)
            return self._addresses(service.cluster_ips)
        found = tuple(endpoint for endpoint in service.endpoints if any(map(asked, endpoint.ports)))
        if not found:
            return self._no_such_name()
        if self.question.type == "SRV":
            return self._endpoint_ports(key, found, (port, protocol))
        return self._addresses(endpoint.ip for endpoint in found)

    def _service_ports(self, key: Key, service: ServiceNames, ports: tuple[Port, ...]) -> Answer:
        target = self._full_name(key)
        pairs = [(port.number, target) for port in ports for _ in service.cluster_ips]
        return self._servers(pairs, (_address(target, ip) for ip in service.cluster_ips))

    def _endpoint_ports(self, key: Key, endpoints: tuple[Endpoint, ...], named: tuple[str, str] | None) -> Answer:
        pairs = [
            (endpoint, port)
            for endpoint in endpoints
            for port in endpoint.ports
            if named is None or (port.name.lower(), port.protocol) == named
        ]
        targets = {endpoint: f"{endpoint.hostname}.{self._full_name(key)}" for endpoint, _ in pairs}
        beside = (_address(target, endpoint.ip) for endpoint, target in targets.items())
        return self._servers([(port.number, targets[endpoint]) for endpoint, port in pairs], beside)

    def _servers(self, pairs: list[tuple[int, str]], beside: Iterable[Record]) -> Answer:
        """SRV records of equal weight; a port that is there for two protocols weighs once and counts twice."""
        weight = max(100 // max(len(pairs), 1), 1)
        found = (self._like("SRV", Srv(0, weight, number, target)) for number, target in dict.fromkeys(pairs))
        return self._records(found, beside)

    def _full_name(self, key: Key) -> str:
        namespace, name = key
        return f"{name}.{namespace}.svc.{self.zone}"

    def _alias(self, target: str) -> Answer:
        """An ExternalName: a CNAME, and what it leads to.

        An alias that leads to nothing inside the cluster, or in a circle, is a name without addresses; one that leads
        outside is told whatever is found there.
        """
        aliases = [self._like("CNAME", target)]
        if self.question.type == "CNAME":
            return Answer(answers=tuple(aliases))
        if self.question.type not in ("A", "AAAA"):
            return self._nothing()
        while (step := self.snapshot.services.get(self._service_key(target))) and step.external_name:
            if len(aliases) == _LONGEST_CHASE:
                return self._nothing()
            aliases.append(Record(target, "CNAME", step.external_name, self.rules.ttl))
            target = step.external_name
        if not target.lower().endswith(f".{self.zone}"):
            return Answer(answers=tuple(aliases), chase=target)
        inside = replace(self, question=Question(target, self.question.type)).answer()
        return Answer(answers=(*aliases, *inside.answers)) if inside.answers else self._nothing()

    def _service_key(self, name: str) -> Key:
        """Namespace and name of the Service that a full name is of."""
        labels = name.lower().removesuffix(f".svc.{self.zone}").split(".")
        return (labels[1], labels[0]) if len(labels) == 2 and name.lower().endswith(f".svc.{self.zone}") else ("", "")

    def _reverse(self, name: str) -> Answer:
        if name == self.zone:
            return self._apex()
        known = self.snapshot.by_ip.get(_reversed_address(name) or "", ())
        if not known or self.question.type != "PTR":
            return self._no_such_name()
        return self._records(self._like("PTR", ".".join((*labels, "svc", self.rules.domain))) for labels in known)


def _address(name: str, ip: str) -> Record:
    return Record(name, "AAAA" if ":" in ip else "A", ip)


def _parsed(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _reversed_address(name: str) -> str | None:
    labels = name.split(".")[:-2][::-1]
    if name.endswith(".ip6.arpa"):
        digits = "".join(labels)
        return _parsed(":".join(digits[at : at + 4] for at in range(0, 32, 4)))
    return _parsed(".".join(labels))
