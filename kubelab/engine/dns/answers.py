"""The answers of the cluster's zones: a pure function of a question and a snapshot of the cluster.

The records are those of Kubernetes' DNS specification 1.1.0; what it leaves open is as CoreDNS has it with kubeadm's
Corefile (``pods insecure``, reverse names that it does not know are asked for elsewhere).
"""

from __future__ import annotations

import ipaddress

from kubelab.engine.config import CLUSTER_DOMAIN
from kubelab.engine.dns.records import Answer, Question, Record, Soa, Srv
from kubelab.engine.dns.snapshot import Endpoint, Key, Port, ServiceNames, Snapshot

SPECIFICATION_VERSION = "1.1.0"

_LONGEST_CHASE = 8
_NAME_SERVER = f"ns.dns.{CLUSTER_DOMAIN}"
_SOA = Record(CLUSTER_DOMAIN, "SOA", Soa(_NAME_SERVER, f"hostmaster.{CLUSTER_DOMAIN}"))


def answer(question: Question, snapshot: Snapshot) -> Answer | None:
    """The answer, or None when the name is not the cluster's and somebody else is to be asked."""
    name = question.name.lower()
    if name.endswith((".in-addr.arpa", ".ip6.arpa")):
        return _reverse(question, snapshot)
    if name != CLUSTER_DOMAIN and not name.endswith(f".{CLUSTER_DOMAIN}"):
        return None
    labels = name.removesuffix(CLUSTER_DOMAIN).rstrip(".").split(".")
    match labels:
        case [""]:
            return _apex(question)
        case ["dns-version"]:
            return _records(question, [_like(question, "TXT", SPECIFICATION_VERSION)])
        case ["svc" | "pod"] | ["dns"]:
            return _nothing()
        case ["ns", "dns"]:
            return _name_server(question, snapshot)
        case [namespace, "svc" | "pod"]:
            return _nothing() if namespace in snapshot.namespaces else _no_such_name()
        case [address, namespace, "pod"]:
            return _pod(question, address, namespace, snapshot)
        case [service, namespace, "svc"]:
            return _service(question, (namespace, service), snapshot)
        case [endpoint, service, namespace, "svc"]:
            return _endpoint(question, endpoint, (namespace, service), snapshot)
        case [port, protocol, service, namespace, "svc"] if port[:1] == protocol[:1] == "_":
            return _named_port(question, port[1:], protocol[1:], (namespace, service), snapshot)
    return _no_such_name()


def _no_such_name() -> Answer:
    return Answer("NXDOMAIN", authority=(_SOA,))


def _nothing() -> Answer:
    """The name is there and has no record of this type."""
    return Answer(authority=(_SOA,))


def _like(question: Question, type_: str, data: str | Srv) -> Record:
    """A record with the very name that was asked for."""
    return Record(question.name, type_, data)


def _records(question: Question, found: list[Record], additional: tuple[Record, ...] = ()) -> Answer:
    """Those of the type that was asked for."""
    wanted = tuple(record for record in found if record.type == question.type)
    return Answer(answers=wanted, additional=additional) if wanted else _nothing()


def _address(name: str, ip: str) -> Record:
    return Record(name, "AAAA" if ":" in ip else "A", ip)


def _apex(question: Question) -> Answer:
    if question.type == "SOA":
        return Answer(answers=(_SOA,))
    return _records(question, [_like(question, "NS", _NAME_SERVER)])


def _name_server(question: Question, snapshot: Snapshot) -> Answer:
    own = snapshot.services.get(("kube-system", "kube-dns"), ServiceNames())
    return _records(question, [_address(question.name, ip) for ip in own.cluster_ips])


def _pod(question: Question, dashed: str, namespace: str, snapshot: Snapshot) -> Answer:
    """``10-244-1-7.default.pod``: any address in a namespace that there is, whether or not a pod has it."""
    ip = dashed.replace("-", ":") if dashed.count("-") > 3 else dashed.replace("-", ".")
    try:
        ip = str(ipaddress.ip_address(ip))
    except ValueError:
        return _no_such_name()
    if namespace not in snapshot.namespaces:
        return _no_such_name()
    return _records(question, [_address(question.name, ip)])


def _service(question: Question, key: Key, snapshot: Snapshot) -> Answer:
    service = snapshot.services.get(key)
    if service is None:
        return _no_such_name()
    if service.external_name:
        return _alias(question, service.external_name, snapshot)
    if service.cluster_ips:
        if question.type == "SRV":
            return _service_ports(question, key, service, service.ports)
        return _records(question, [_address(question.name, ip) for ip in service.cluster_ips])
    if not service.endpoints:
        return _no_such_name()
    if question.type == "SRV":
        return _endpoint_ports(question, key, service.endpoints, None)
    return _records(question, [_address(question.name, endpoint.ip) for endpoint in service.endpoints])


def _endpoint(question: Question, label: str, key: Key, snapshot: Snapshot) -> Answer:
    service = snapshot.services.get(key, ServiceNames())
    found = tuple(endpoint for endpoint in service.endpoints if endpoint.hostname.lower() == label)
    if not found:
        return _no_such_name()
    if question.type == "SRV":
        return _endpoint_ports(question, key, found, None)
    return _records(question, [_address(question.name, endpoint.ip) for endpoint in found])


def _named_port(question: Question, port: str, protocol: str, key: Key, snapshot: Snapshot) -> Answer:
    service = snapshot.services.get(key, ServiceNames())
    if service.external_name:
        return _alias(question, service.external_name, snapshot)

    def asked(each: Port) -> bool:
        return each.name.lower() == port and each.protocol == protocol

    if service.cluster_ips:
        ports = tuple(each for each in service.ports if asked(each))
        if not ports:
            return _no_such_name()
        if question.type == "SRV":
            return _service_ports(question, key, service, ports)
        return _records(question, [_address(question.name, ip) for ip in service.cluster_ips])
    found = tuple(endpoint for endpoint in service.endpoints if any(map(asked, endpoint.ports)))
    if not found:
        return _no_such_name()
    if question.type == "SRV":
        return _endpoint_ports(question, key, found, (port, protocol))
    return _records(question, [_address(question.name, endpoint.ip) for endpoint in found])


def _service_ports(question: Question, key: Key, service: ServiceNames, ports: tuple[Port, ...]) -> Answer:
    namespace, name = key
    target = f"{name}.{namespace}.svc.{CLUSTER_DOMAIN}"
    weight = max(100 // max(len(ports), 1), 1)
    found = [_like(question, "SRV", Srv(0, weight, port.number, target)) for port in ports]
    return _records(question, found, tuple(_address(target, ip) for ip in service.cluster_ips))


def _endpoint_ports(
    question: Question, key: Key, endpoints: tuple[Endpoint, ...], named: tuple[str, str] | None
) -> Answer:
    namespace, name = key
    pairs = [
        (endpoint, port)
        for endpoint in endpoints
        for port in endpoint.ports
        if named is None or (port.name.lower(), port.protocol) == named
    ]
    weight = max(100 // max(len(pairs), 1), 1)
    targets = {endpoint: f"{endpoint.hostname}.{name}.{namespace}.svc.{CLUSTER_DOMAIN}" for endpoint, _ in pairs}
    found = [_like(question, "SRV", Srv(0, weight, port.number, targets[endpoint])) for endpoint, port in pairs]
    return _records(question, found, tuple(_address(target, endpoint.ip) for endpoint, target in targets.items()))


def _alias(question: Question, target: str, snapshot: Snapshot) -> Answer:
    """An ExternalName: a CNAME, and what it leads to.

    Like CoreDNS, an alias that leads to nothing inside the cluster, or in a circle, is a name without addresses; one
    that leads outside is told whatever is found there.
    """
    aliases = [_like(question, "CNAME", target)]
    if question.type == "CNAME":
        return Answer(answers=tuple(aliases))
    if question.type not in ("A", "AAAA"):
        return _nothing()
    while (step := snapshot.services.get(_service_key(target))) and step.external_name:
        if len(aliases) == _LONGEST_CHASE:
            return _nothing()
        aliases.append(Record(target, "CNAME", step.external_name))
        target = step.external_name
    inside = answer(Question(target, question.type), snapshot)
    if inside is None:
        return Answer(answers=tuple(aliases), chase=target)
    return Answer(answers=(*aliases, *inside.answers)) if inside.answers else _nothing()


def _service_key(name: str) -> Key:
    """Namespace and name of the Service that a full name is of."""
    labels = name.lower().removesuffix(f".svc.{CLUSTER_DOMAIN}").split(".")
    return (labels[1], labels[0]) if len(labels) == 2 and name.lower().endswith(f".svc.{CLUSTER_DOMAIN}") else ("", "")


def _reverse(question: Question, snapshot: Snapshot) -> Answer | None:
    ip = _reversed_address(question.name.lower())
    known = snapshot.by_ip.get(ip or "", ())
    if not known:
        return None
    names = [".".join((*labels, "svc", CLUSTER_DOMAIN)) for labels in known]
    return _records(question, [_like(question, "PTR", name) for name in names])


def _reversed_address(name: str) -> str | None:
    labels = name.split(".")[:-2][::-1]
    text = ".".join(labels)
    if name.endswith(".ip6.arpa"):
        digits = "".join(labels)
        text = ":".join(digits[at : at + 4] for at in range(0, 32, 4))
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
