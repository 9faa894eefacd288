"""A Gateway's listeners: which can be served, and what the others are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kubelab.routing.certificates import TLS_KEYS, TLS_TYPE
from kubelab.routing.gateway.conditions import Condition, Fault, resolved_refs
from kubelab.routing.gateway.references import GROUP, Grants
from kubelab.routing.model import Certificate, ObjectName, Origin
from kubelab.routing.objects import Object, name_of

ROUTE_KIND = "HTTPRoute"
PROTOCOLS = {"HTTP": False, "HTTPS": True}
"""The protocols that are served, and whether TLS is on top."""

Secrets = Mapping[tuple[str, str], Object]


class Verdict(NamedTuple):
    """Whether a Secret's certificate can be served."""

    wrong: str = ""
    """Why it cannot, in words; empty when it can."""
    kept: bool = False
    """Whether the Secret's last good certificate is served instead."""


Usable = Callable[[Object], Verdict]


@dataclass(frozen=True)
class JudgedListener:
    """A listener with all that is wrong with it."""

    name: str
    port: int
    tls: bool
    hostname: str
    origin: Origin
    allowed: Object
    """Its ``allowedRoutes.namespaces``."""
    kinds: tuple[str, ...]
    certificates: tuple[Certificate, ...] = ()
    unsupported: Fault | None = None
    conflict: Fault | None = None
    unresolved: tuple[Fault, ...] = ()

    @property
    def accepted(self) -> bool:
        return not (self.unsupported or self.conflict)

    @property
    def served(self) -> bool:
        """Whether requests can come in. A listener with TLS cannot do without a certificate."""
        return self.accepted and bool(self.certificates or not self.tls)

    def conditions(self) -> tuple[Condition, ...]:
        """Accepted, Conflicted, ResolvedRefs and Programmed."""
        wrong = self.unsupported or self.conflict
        conflict = self.conflict or Fault("NoConflicts", "")
        return (
            Condition("Accepted", False, *wrong) if wrong else Condition("Accepted", True, "Accepted"),
            Condition("Conflicted", self.conflict is not None, *conflict),
            resolved_refs(self.unresolved),
            Condition("Programmed", True, "Programmed")
            if self.served
            else Condition("Programmed", False, "Invalid", "the listener cannot be served as it stands"),
        )


def judge(gateway: Object, secrets: Secrets, grants: Grants, usable: Usable) -> tuple[JudgedListener, ...]:
    """The listeners of a Gateway, in their order."""
    listed = gateway["spec"]["listeners"]
    conflicts = _conflicts(listed)
    return tuple(
        _judged(gateway, number, each, conflicts.get(number), secrets, grants, usable)
        for number, each in enumerate(listed)
    )


def _judged(
    gateway: Object,
    number: int,
    listener: Object,
    conflict: Fault | None,
    secrets: Secrets,
    grants: Grants,
    usable: Usable,
) -> JudgedListener:
    origin = Origin(name_of("Gateway", gateway), f"spec.listeners[{number}]")
    tls = PROTOCOLS.get(listener["protocol"], False)
    hostname = (listener.get("hostname") or "").lower()
    allowed = listener.get("allowedRoutes") or {}
    kinds, faults = _kinds(allowed.get("kinds") or ())
    certificates: list[Certificate] = []
    if tls:
        for place, ref in enumerate((listener.get("tls") or {}).get("certificateRefs") or ()):
            field = f"{origin.field}.tls.certificateRefs[{place}]"
            secret, fault = _certificate(origin.object, ref, secrets, grants, usable)
            if fault:
                faults.append(fault)
            if secret:
                certificates.append(Certificate(secret, (hostname,), Origin(origin.object, field)))
        if not certificates and not faults:
            faults.append(Fault("InvalidCertificateRef", "the listener names no certificate"))
    return JudgedListener(
        name=listener["name"],
        port=listener["port"],
        tls=tls,
        hostname=hostname,
        origin=origin,
        allowed=allowed.get("namespaces") or {},
        kinds=kinds,
        certificates=tuple(certificates),
        unsupported=_unsupported(listener),
        conflict=conflict,
        unresolved=tuple(faults),
    )


def _unsupported(listener: Object) -> Fault | None:
    protocol = listener["protocol"]
    if protocol not in PROTOCOLS:
        return Fault("UnsupportedProtocol", f"protocol {protocol} is not served here; {' and '.join(PROTOCOLS)} are")
    if protocol == "HTTPS" and ((listener.get("tls") or {}).get("mode") or "Terminate") != "Terminate":
        return Fault("UnsupportedValue", "an HTTPS listener terminates TLS here; it does not pass it through")
    return None


def _conflicts(listeners: list[Object]) -> dict[int, Fault]:
    """Two on one port with different protocols, or of one protocol for the same hosts: neither is served."""
    protocols: dict[int, set[str]] = {}
    for each in listeners:
        protocols.setdefault(each["port"], set()).add(each["protocol"])
    same = Counter(_key(each) for each in listeners)
    found = {}
    for number, each in enumerate(listeners):
        if len(protocols[each["port"]]) > 1:
            found[number] = Fault("ProtocolConflict", f"port {each['port']} has listeners of several protocols")
        elif same[_key(each)] > 1:
            hosts = each.get("hostname") or "all hosts"
            found[number] = Fault("HostnameConflict", f"port {each['port']} has several listeners for {hosts}")
    return found


def _key(listener: Object) -> tuple[int, str]:
    return listener["port"], (listener.get("hostname") or "").lower()


def _kinds(asked: tuple[Object, ...]) -> tuple[tuple[str, ...], list[Fault]]:
    """The kinds of routes that may attach, of those asked for."""
    if not asked:
        return (ROUTE_KIND,), []
    known = [each for each in asked if each["kind"] == ROUTE_KIND and each.get("group", GROUP) == GROUP]
    unknown = sorted({each["kind"] for each in asked if each not in known})
    faults = [Fault("InvalidRouteKinds", f"routes of kind {', '.join(unknown)} are not served here")] if unknown else []
    return (ROUTE_KIND,) if known else (), faults


def _certificate(
    gateway: ObjectName, ref: Object, secrets: Secrets, grants: Grants, usable: Usable
) -> tuple[ObjectName | None, Fault | None]:
    """The Secret that is served, and what is wrong with it; both, when its last good certificate is."""
    namespace, name = ref.get("namespace") or gateway.namespace, ref["name"]
    kind = f"{ref.get('group') or 'core'}/{ref.get('kind', 'Secret')}"
    if kind != "core/Secret":
        return None, Fault("InvalidCertificateRef", f"{kind} {name} is no Secret")
    if not grants.permit("Gateway", gateway.namespace, "Secret", namespace, name):
        message = f"no ReferenceGrant in namespace {namespace} lets Gateways of {gateway.namespace} use Secret {name}"
        return None, Fault("RefNotPermitted", message)
    secret = secrets.get((namespace, name))
    verdict = Verdict(_wrong(secret)) if secret is None or not _complete(secret) else usable(secret)
    fault = Fault("InvalidCertificateRef", f"Secret {namespace}/{name} {verdict.wrong}") if verdict.wrong else None
    return None if fault and not verdict.kept else ObjectName("Secret", namespace, name), fault


def _complete(secret: Object) -> bool:
    return secret.get("type") == TLS_TYPE and all(key in (secret.get("data") or {}) for key in TLS_KEYS)


def _wrong(secret: Object | None) -> str:
    return "does not exist" if secret is None else f"is not of type {TLS_TYPE} with {' and '.join(TLS_KEYS)}"
