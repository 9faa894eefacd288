"""TLS as a client meets it: one real handshake, and whose certificate was served in it.

Nothing is taken from an Ingress or a Secret's name: the certificates are those that came over the connection, OpenSSL
has judged them in that handshake, and the Secret is the one that holds the same certificate, byte for byte.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from kubelab.lab import kinds, senders, shell
from kubelab.lab.api import Object
from kubelab.lab.authority import Authority, common_name, fingerprint
from kubelab.lab.certificates import TLS
from kubelab.lab.entrance import entrance
from kubelab.lab.errors import LabError
from kubelab.lab.served import Handshake, Owner, is_address
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
_DEFAULT = re.compile(r"\b(default|fake) cert", re.IGNORECASE)
"""How ingress controllers call their default certificates: kubelab's, Traefik's "TRAEFIK DEFAULT CERT", ingress-nginx's
"Kubernetes Ingress Controller Fake Certificate"."""
_LIMIT_SECONDS = 30.0
_PAUSE_SECONDS = 0.1


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
        if len(name) > 253 or not (is_address(name) or _HOST.fullmatch(name)):
            raise LabError(f"{name!r} is no host to shake hands with; write it like 'shop.example.test'.")
    if not 0 < port < 65536 or timeout <= 0:
        raise LabError(
            f"Port {port} within {timeout:g} s cannot be tried: a port is 1 to 65535, a timeout more than 0."
        )
    where = address or (host if is_address(host) else entrance(lab, host, via).address)
    return {
        "address": where, "port": port, "host": host, "sni": host if sni == SAME else sni, "ca": lab.authority.pem,
        "alpn": ALPN, "timeout": timeout, "rate": rate,
    }  # fmt: skip


def start(lab: Lab, source: str | Pod | None, job: dict[str, Any]) -> shell.Client:
    """Start the program in a pod, the lab's own client pod (None), or outside. Raises `CannotRun`."""
    sni = job["sni"] and lab.hosts.there(job["sni"])
    job = {**job, "host": lab.hosts.there(job["host"]), "sni": sni}
    if node := senders.standing_outside(lab, source, job["address"]):
        return shell.start_outside(node, job, PROGRAM)
    return shell.start_client(lab.api, lab.namespace, senders.in_pod(lab, source), job, PROGRAM)


class Reader:
    """Makes handshakes of the program's lines, and finds out whose certificates they are."""

    def __init__(self, lab: Lab, job: dict[str, Any]) -> None:
        self._lab, self._job = lab, job
        # An address is never sent as SNI (RFC 6066, section 3).
        self._sni = None if job["sni"] is None or is_address(job["sni"]) else job["sni"]
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
            hosts=self._lab.hosts,
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
