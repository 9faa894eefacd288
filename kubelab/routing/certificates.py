"""Which certificate is for which name: the ``tls`` of Ingresses.

A block's ``hosts`` are the names (SNI) for which its Secret is served; a block without hosts means those of the
Ingress's rules. ``*.`` stands for several labels as well: the proxy picks by the end of the name, and a client with one
more in its name refuses the certificate. A block without a Secret asks for nothing. Of two Ingresses with different
Secrets for one name the older is heard, and a Secret that cannot be served is out of the race, so that the younger's
takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kubelab.routing.model import Certificate, ObjectName, Origin, Problem
from kubelab.routing.objects import Object, name_of, namespace_of, problem

TLS_TYPE = "kubernetes.io/tls"
TLS_KEYS = ("tls.crt", "tls.key")
Secrets = Mapping[tuple[str, str], Object]


class Certificates(NamedTuple):
    """No name is in two of them."""

    served: tuple[Certificate, ...]
    problems: tuple[Problem, ...]


def certificates(ingresses: Iterable[Object], secrets: Iterable[Object]) -> Certificates:
    """The certificates of these Ingresses, which are in order of age."""
    by_name = {(namespace_of(each), each["metadata"]["name"]): each for each in secrets}
    problems: list[Problem] = []
    owners: dict[str, tuple[ObjectName, Origin]] = {}
    for ingress in ingresses:
        for secret, names, origin in _blocks(ingress, by_name, problems):
            for name in names:
                first, where = owners.setdefault(name, (secret, origin))
                if first != secret:
                    problems.append(Problem(origin, "CertificateConflict", _conflict(name, secret, first, where)))
    grouped: dict[tuple[ObjectName, Origin], list[str]] = {}
    for name, owner in owners.items():
        grouped.setdefault(owner, []).append(name)
    served = (Certificate(secret, tuple(sorted(names)), origin) for (secret, origin), names in grouped.items())
    return Certificates(tuple(served), tuple(problems))


def _blocks(
    ingress: Object, secrets: Secrets, problems: list[Problem]
) -> Iterator[tuple[ObjectName, tuple[str, ...], Origin]]:
    """The blocks that can be served: Secret, names, origin."""
    owner = name_of("Ingress", ingress)
    ruled = [rule["host"] for rule in ingress["spec"].get("rules") or () if rule.get("host")]
    for number, block in enumerate(ingress["spec"].get("tls") or ()):
        secret, field = block.get("secretName"), f"spec.tls[{number}]"
        if not secret:
            continue
        wrong = _wrong(secret, secrets.get((owner.namespace, secret)), owner.namespace)
        names = tuple(dict.fromkeys(block.get("hosts") or ruled))
        if wrong:
            problems.append(problem(owner, f"{field}.secretName", *wrong))
        elif not names:
            message = "neither this block nor a rule names a host, and a certificate is chosen by the host's name"
            problems.append(problem(owner, f"{field}.hosts", "NoTLSHost", message))
        else:
            yield ObjectName("Secret", owner.namespace, secret), names, Origin(owner, field)


def _wrong(name: str, secret: Object | None, namespace: str) -> tuple[str, str] | None:
    """Why a Secret is no certificate: reason and message. What is inside of it is not looked at here."""
    if secret is None:
        return "SecretNotFound", f"there is no Secret {name} in namespace {namespace}"
    if secret.get("type") != TLS_TYPE:
        return "SecretInvalid", f"Secret {name} is of type {secret.get('type') or 'Opaque'}, not {TLS_TYPE}"
    missing = [key for key in TLS_KEYS if key not in (secret.get("data") or {})]
    return ("SecretInvalid", f"Secret {name} has no {' and no '.join(missing)}") if missing else None


def _conflict(name: str, secret: ObjectName, first: ObjectName, where: Origin) -> str:
    return f"{name} is served with {first}, as {where} says, which is older; {secret} is not used for it"
