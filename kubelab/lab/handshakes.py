"""TLS as a client meets it: one real handshake, and whose certificate was served in it.

Nothing is taken from an Ingress or a Secret's name: the certificates are those that came over the connection, OpenSSL
has judged them in that handshake, and the Secret is the one that holds the same certificate, byte for byte.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from kubelab.lab import kinds, shell
from kubelab.lab.api import Object
from kubelab.lab.authority import Authority, common_name, fingerprint, names_in
from kubelab.lab.certificates import TLS, ordinal
from kubelab.lab.entrance import entrance
from kubelab.lab.errors import LabError
from kubelab.lab.survey import called, everywhere

if TYPE_CHECKING:
    from kubelab.lab.certificates import Certificate
    from kubelab.lab.lab import Lab
    from kubelab.lab.pods import Pod

PROGRAM = "tls_program.py"
ALPN = ("h2", "http/1.1")
SAME = ""
"""For ``sni``: the name that the client wants, as every browser sends it."""
REASONS = {
    9: "not yet valid",
    10: "expired",
    18: "self-signed",
    19: "unknown issuer",
    20: "unknown issuer",
    21: "unknown issuer",
    62: "hostname mismatch",
    64: "hostname mismatch",
    66: "its key is too weak",
}
"""What OpenSSL's verdicts mean (openssl-verification-options(1), "Diagnostics"); others are told in its own words."""
_HOST = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*")
LONG_DAYS = 183
"""A day more or less is nothing to say of certificates that are valid for longer."""
_DEFAULT = re.compile(r"\b(default|fake) cert", re.IGNORECASE)
"""How ingress controllers call their default certificates: kubelab's, Traefik's "TRAEFIK DEFAULT CERT", ingress-nginx's
"Kubernetes Ingress Controller Fake Certificate"."""
_LIMIT_SECONDS = 30.0
_PAUSE_SECONDS = 0.1


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
        return names_in(self.leaf)

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
        if self.sni == self.host or _is_address(self.host):
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


def handshake(
    lab: Lab, host: str, port: int, sni: str | None, source: str | Pod | None, address: str, via: str, timeout: float,
    until: Certificate | None, patience: float,
) -> Handshake:  # fmt: skip
    """What `Lab.tls` says."""
    deadline = time.monotonic() + patience
    while True:
        job = job_for(lab, host, port, sni, address, via, timeout)
        results = list(start(lab, source, job).results(_LIMIT_SECONDS + timeout))
        seen = Reader(lab, job).read(results[0])
        as_wanted = until is None or (seen.served and seen.fingerprint == until.fingerprint)
        if as_wanted or time.monotonic() > deadline:
            return seen
        time.sleep(_PAUSE_SECONDS)


def job_for(
    lab: Lab, host: str, port: int, sni: str | None, address: str, via: str, timeout: float, rate: float | None = None
) -> dict[str, Any]:
    """The job of ``tls_program``. Raises `LabError` for what is no host."""
    for name in (host, sni or host):
        if len(name) > 253 or not (_is_address(name) or _HOST.fullmatch(name)):
            raise LabError(f"{name!r} is no host to shake hands with; write it like 'shop.example.test'.")
    where = address or (host if _is_address(host) else entrance(lab, host, via).address)
    return {
        "address": where, "port": port, "host": host, "sni": host if sni == SAME else sni, "ca": lab.authority.pem,
        "alpn": ALPN, "timeout": timeout, "rate": rate,
    }  # fmt: skip


def start(lab: Lab, source: str | Pod | None, job: dict[str, Any]) -> shell.Client:
    """Start the program in a pod, the lab's own client pod (None), or outside. Raises `CannotRun`."""
    if source == "outside":
        return shell.start_outside(lab.cluster.outside, job, PROGRAM)
    return shell.start_client(lab.api, lab.namespace, lab.client_name(source), job, PROGRAM)


class Reader:
    """Makes handshakes of the program's lines, and finds out whose certificates they are."""

    def __init__(self, lab: Lab, job: dict[str, Any]) -> None:
        self._lab, self._job = lab, job
        # An address is never sent as SNI (RFC 6066, section 3).
        self._sni = None if job["sni"] is None or _is_address(job["sni"]) else job["sni"]
        self._chains: dict[str, tuple[x509.Certificate, ...]] = {}

    def chain(self, line: dict[str, Any]) -> tuple[x509.Certificate, ...]:
        """The certificates of one line; they stand in it only when they are served for the first time."""
        if "chain" in line:
            der = [base64.b64decode(each) for each in line["chain"]]
            self._chains[line["fingerprint"]] = tuple(x509.load_der_x509_certificate(each) for each in der)
        return self._chains.get(line.get("fingerprint", ""), ())

    def why_not(self, line: dict[str, Any]) -> str:
        """Why the certificates of one line were not verified; empty when they were."""
        return _why_not(line.get("code") or 0, line.get("reason") or "", self.chain(line), self._lab.authority)

    def read(self, line: dict[str, Any]) -> Handshake:
        """The handshake of one line."""
        chain = self.chain(line)
        code, openssl = line.get("code") or 0, line.get("reason") or ""
        return Handshake(
            host=self._job["host"],
            sni=self._sni,
            address=self._job["address"],
            port=self._job["port"],
            chain=chain,
            code=code,
            openssl=openssl,
            why_not=self.why_not(line),
            error=line.get("error") or ("" if chain else "no certificate came"),
            protocol=line.get("version") or "",
            alpn=line.get("alpn") or "",
            owner=self.owner(chain[0]) if chain else Owner(),
            seconds=line["seconds"],
        )

    def owner(self, leaf: x509.Certificate) -> Owner:
        """Whose a certificate is: by its fingerprint among the Secrets of now, then in the authority's register."""
        served = fingerprint(leaf)
        entry = self._lab.authority.entry(served)
        for secret in _tls_secrets(self._lab):
            if served == _fingerprint_in(secret):
                mine = entry is not None and entry.secret == secret["metadata"]["name"]
                return Owner(called(secret, self._lab.namespace), entry.issue if entry and mine else 0)
        if entry is None:
            itself = leaf.subject == leaf.issuer
            return Owner(default=itself and bool(_DEFAULT.search(common_name(leaf.subject))))
        elsewhere = "" if entry.namespace == self._lab.namespace else f"{entry.namespace}/"
        return Owner(elsewhere + entry.secret, entry.issue, now=False)


def _tls_secrets(lab: Lab) -> Iterable[Object]:
    """Those of the lab's namespace first: of two that hold the same certificate it names its own."""
    found = [secret for secret in everywhere(lab, kinds.SECRET) if secret.get("type") == TLS]
    return sorted(found, key=lambda secret: secret["metadata"]["namespace"] != lab.namespace)


def _fingerprint_in(secret: Object) -> str:
    try:
        pem = base64.b64decode((secret.get("data") or {}).get("tls.crt") or "")
        return fingerprint(x509.load_pem_x509_certificate(pem))
    except ValueError:
        return ""


def _why_not(code: int, reason: str, chain: Sequence[x509.Certificate], authority: Authority) -> str:
    if code in (20, 21) and chain and authority.intermediate not in chain and _signed(chain[0], authority.intermediate):
        return "the intermediate certificate is missing"
    return REASONS.get(code, reason) if code else ""


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _days(number: int) -> str:
    return f"{number} day{'s' * (number != 1)}"
