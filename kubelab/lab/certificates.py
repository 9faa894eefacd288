"""Certificates in Secrets: issued, put where an Ingress finds them, and replaced."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from kubelab.lab import kinds
from kubelab.lab.authority import Entry, Issued, Mistake, fingerprint, names_in
from kubelab.lab.errors import LabError, NotFound
from kubelab.lab.objects import Objects

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

TLS = "kubernetes.io/tls"
"""The type of a Secret with ``tls.crt`` and ``tls.key``
(https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets)."""
ISSUE = "kubelab.dev/issue"
"""The annotation that says how many certificates the course has put into this Secret."""


@dataclass(frozen=True)
class Certificate:
    """A certificate that the course CA has issued into a Secret. Serial and dates are another on every run."""

    names: tuple[str, ...]
    """The DNS names that it is really for."""
    secret: str
    namespace: str
    issue: int
    """1 for the first certificate in this Secret, 2 for the one that replaced it …"""
    days: float
    mistake: Mistake | None
    issued: Issued = field(repr=False, compare=False)
    shown: str = ""
    """The Secret as the lesson calls it: with its namespace when that is not the lab's."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, in hex."""
        return fingerprint(self.issued.certificate)

    @property
    def pem(self) -> str:
        """What stands in ``tls.crt``."""
        return self.issued.pem

    @property
    def not_before(self) -> datetime:
        return self.issued.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        return self.issued.certificate.not_valid_after_utc

    @property
    def validity(self) -> str:
        """``valid for 90 days``, ``expired a day ago``, ``valid from tomorrow``."""
        words = {"expired": "expired a day ago", "not yet valid": "valid from tomorrow"}
        return words.get(self.mistake or "", f"valid for {self.days:g} day{'s' * (self.days != 1)}")

    def __repr__(self) -> str:
        wrong = f"; mistake: {self.mistake}" if self.mistake else ""
        where = f"{ordinal(self.issue)} issue in Secret {self.shown}"
        return f"Certificate({', '.join(self.names)}: {self.validity}; {where}{wrong})"


def certificate(
    lab: Lab, names: tuple[str, ...], secret: str, namespace: str, days: float, mistake: Mistake | None
) -> Certificate:
    """What `Lab.certificate` says."""
    issued = lab.authority.issue(*map(lab.hosts.there, names), days=days, mistake=mistake)
    objects = Objects(lab.api, namespace or lab.namespace)
    objects.ensure_namespace()
    secret = secret or f"{names[0].removeprefix('*.').partition('.')[0]}-tls"
    issue = _issues_before(objects, secret) + 1
    objects.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "annotations": {ISSUE: str(issue)}},
            "type": TLS,
            "data": {"tls.crt": _base64(issued.pem), "tls.key": _base64(issued.key)},
        }
    )
    print_ = fingerprint(issued.certificate)
    lab.authority.enter(Entry(print_, objects.namespace, secret, issue))
    shown = secret if objects.namespace == lab.namespace else f"{objects.namespace}/{secret}"
    really = tuple(map(lab.hosts.back, names_in(issued.certificate)))
    return Certificate(really, secret, objects.namespace, issue, days, mistake, issued, shown)


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``11th``."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _issues_before(objects: Objects, secret: str) -> int:
    try:
        found = objects.get(kinds.SECRET, secret)
    except NotFound:
        return 0
    if found.get("type") != TLS:
        raise LabError(
            f"There is a Secret {secret} of type {found.get('type', 'Opaque')} already, and a Secret's type cannot be "
            f"changed; delete it first: lab.delete('secret/{secret}')."
        )
    issue = (found["metadata"].get("annotations") or {}).get(ISSUE, "")
    return int(issue) if issue.isdigit() else 0


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
