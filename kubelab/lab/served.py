"""What came of a TLS handshake, as data: the certificates that were served, whose they are, and the verdict on them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

from cryptography import x509

from kubelab.lab.authority import common_name, fingerprint, names_in
from kubelab.lab.certificates import ordinal
from kubelab.lab.errors import LabError
from kubelab.lab.hosts import Hosts

LONG_DAYS = 183
"""A day more or less is nothing to say of certificates that are valid for longer."""


@dataclass(frozen=True)
class Owner:
    """Whose a served certificate is."""

    secret: str = ""
    """The Secret that holds it, or held it before; with its namespace when that is not the lab's."""
    issue: int = 0
    """As its how-manieth certificate the course has put it there; 0 when somebody else did."""
    now: bool = True
    """Whether it is still there."""
    default: bool = False
    """Whether it is what an ingress controller serves for lack of a better one."""

    @property
    def name(self) -> str:
        """``Secret shop-tls, 1st issue``, ``the ingress's default certificate``."""
        if not self.secret:
            return "the ingress's default certificate" if self.default else "a certificate of no Secret"
        issue = f", {ordinal(self.issue)} issue" if self.issue else ""
        return f"Secret {self.secret}{issue}"

    def __str__(self) -> str:
        return self.name if self.now else f"{self.name} (no longer in it)"


@dataclass(frozen=True)
class Handshake:
    """What came of one TLS handshake. Shows names and words; fingerprints, serials and dates are in its attributes."""

    host: str
    """The name that the client wanted, and compared."""
    sni: str | None
    """The name that it sent in its first message; None when it sent none."""
    address: str = field(repr=False)
    port: int = 443
    chain: tuple[x509.Certificate, ...] = ()
    """The certificates as they were sent, the server's own first."""
    code: int = 0
    """OpenSSL's verdict, 0 when the chain leads to the course CA and the name is right (X509_V_ERR_…)."""
    openssl: str = ""
    """The verdict in OpenSSL's own words."""
    why_not: str = ""
    """Why it was not verified, in ours; empty when it was."""
    error: str = ""
    """Why there was no handshake; empty when there was one."""
    protocol: str = ""
    """``TLSv1.3`` …"""
    alpn: str = ""
    """The protocol that both agreed on: ``h2``, ``http/1.1``; empty when the server chose none."""
    owner: Owner = field(default_factory=Owner)
    seconds: float = 0.0
    """From the first packet to the end of the handshake."""
    hosts: Hosts = field(default_factory=Hosts, repr=False, compare=False)
    """Of which the names in the certificate are."""

    @property
    def served(self) -> bool:
        """Whether a certificate came."""
        return bool(self.chain)

    @property
    def verified(self) -> bool:
        """Whether a client that trusts the course CA is content."""
        return self.served and self.code == 0

    @property
    def leaf(self) -> x509.Certificate:
        """The server's own certificate. Raises `LabError` when none came."""
        if not self.chain:
            raise LabError(f"No certificate was served: {self.error}.")
        return self.chain[0]

    @property
    def intermediates(self) -> tuple[x509.Certificate, ...]:
        """What was sent after it."""
        return self.chain[1:]

    @property
    def secret(self) -> str:
        """The Secret that holds the certificate now; empty when none does."""
        return self.owner.secret if self.owner.now else ""

    @property
    def issue(self) -> int:
        """Its number among those that the course has put into that Secret; 0 when it is not the course's."""
        return self.owner.issue

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the certificate is for."""
        return tuple(map(self.hosts.back, names_in(self.leaf)))

    @property
    def subject(self) -> str:
        return common_name(self.leaf.subject)

    @property
    def issuer(self) -> str:
        return common_name(self.leaf.issuer)

    @property
    def not_before(self) -> datetime:
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        return self.leaf.not_valid_after_utc

    @property
    def days_left(self) -> float:
        """Days until it expires; negative when it has."""
        return (self.not_after - datetime.now(UTC)).total_seconds() / 86400

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the server's certificate, in hex."""
        return fingerprint(self.leaf)

    @property
    def serial(self) -> str:
        """In hex, as ``openssl x509 -serial`` prints it."""
        return f"{self.leaf.serial_number:X}"

    @property
    def sentence(self) -> str:
        """``Secret shop-tls, 1st issue; verified``."""
        if not self.served:
            return f"no handshake: {self.error}"
        return f"{self.owner}; {'verified' if self.verified else f'not verified: {self.why_not}'}"

    @property
    def asked(self) -> str:
        """``shop.example.test``, or what was said instead of it."""
        if self.sni == self.host or is_address(self.host):
            return self.host
        return f"{self.host} with {'no SNI' if self.sni is None else f'SNI {self.sni}'}"

    def __repr__(self) -> str:
        return f"Handshake({self.asked}: {self.sentence})"

    def _repr_html_(self) -> str:
        rows = [("asked for", self.asked)]
        if not self.served:
            rows += [("no handshake", self.error)]
        else:
            rows += [
                ("served", str(self.owner)),
                ("for the names", ", ".join(self.names) or "none"),
                ("issued by", "itself" if self.leaf.subject == self.leaf.issuer else self.issuer),
                ("sent with it", ", ".join(common_name(each.subject) for each in self.intermediates) or "nothing"),
                ("validity", validity(self.leaf)),
                ("verified", "yes" if self.verified else f"no: {self.why_not}"),
                ("protocol", ", ".join(filter(None, (self.protocol, self.alpn)))),
            ]
        left = "style='text-align: left'"
        body = "".join(
            f"<tr><th scope='row' {left}>{escape(name)}</th><td {left}>{escape(said)}</td></tr>" for name, said in rows
        )
        return f"<table><tbody>{body}</tbody></table>"


def validity(certificate: x509.Certificate) -> str:
    """``valid for another 90 days``, ``expired 1 day ago``, ``valid in 1 day``, to the nearest day."""
    now = datetime.now(UTC)
    begins, ends = (
        round((moment - now).total_seconds() / 86400)
        for moment in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    )
    if certificate.not_valid_before_utc > now:
        return f"valid in {_days(begins)}"
    if certificate.not_valid_after_utc < now:
        return f"expired {_days(-ends)} ago"
    return f"valid for another {_days(ends)}" if ends <= LONG_DAYS else "valid for more than half a year"


def is_address(text: str) -> bool:
    """Whether it is an IP address and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _days(number: int) -> str:
    return f"{number} day{'s' * (number != 1)}"
