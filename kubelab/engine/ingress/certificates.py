"""From Secrets to certificates that Envoy can take; one that cannot be taken leaves the last good one in its place."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from kubelab.engine.ingress.compile import KeyPair
from kubelab.routing.gateway.listeners import Verdict
from kubelab.routing.model import Certificate, ObjectName, Origin, Problem, Table
from kubelab.routing.objects import namespace_of

Secrets = Mapping[tuple[str, str], dict[str, object]]

SMALLEST_RSA = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")


class Unusable(ValueError):
    """No certificate that Envoy can serve. The message says why, in one clause."""


class Certificates:
    """Remembers every Secret's last good certificate for as long as somebody asks for it."""

    def __init__(self) -> None:
        self._good: dict[ObjectName, KeyPair] = {}
        self._judged: dict[ObjectName, tuple[KeyPair, str]] = {}
        """Secret → what was in it when it was looked at, and what was wrong with that (empty: nothing)."""

    def read(self, table: Table, data: Mapping[ObjectName, Mapping[str, str]]) -> list[Problem]:
        """Look at the Secrets that the table's certificates name; ``data`` is theirs, as the API has it (base64)."""
        problems: dict[Origin, Problem] = {}
        wanted = list(_certificates(table))
        for each in wanted:
            if wrong := self._look(each.secret, data.get(each.secret, {})):
                message = f"Secret {each.secret.name} cannot be served: {wrong}{_kept(each.secret in self._good)}"
                problems[each.origin] = Problem(each.origin, "SecretInvalid", message)
        names = {each.secret for each in wanted}
        self._good = {secret: pair for secret, pair in self._good.items() if secret in names}
        self._judged = {secret: judged for secret, judged in self._judged.items() if secret in names}
        return list(problems.values())

    def usable(self, secret: dict[str, Any]) -> Verdict:
        """Whether a Secret's certificate can be served, or the last good one of it."""
        name = ObjectName("Secret", namespace_of(secret), secret["metadata"]["name"])
        wrong = self._look(name, secret.get("data") or {})
        if not wrong:
            return Verdict()
        return Verdict(f"cannot be served: {wrong}{_kept(name in self._good)}", name in self._good)

    @property
    def good(self) -> Mapping[ObjectName, KeyPair]:
        """What can be served now."""
        return self._good

    def _look(self, secret: ObjectName, data: Mapping[str, str]) -> str:
        """Why it cannot be served; empty when it can."""
        try:
            pair = KeyPair(_text(data, "tls.crt"), _text(data, "tls.key"))
        except Unusable as error:
            return str(error)
        judged = self._judged.get(secret)
        if judged is None or judged[0] != pair:
            judged = self._judged[secret] = (pair, _fault(pair))
            if not judged[1]:
                self._good[secret] = pair
        return judged[1]


def _kept(kept: bool) -> str:
    return "; the last good certificate stays in service" if kept else ""


def _certificates(table: Table) -> Iterable[Certificate]:
    """Each Secret at each place that names it."""
    found = {
        (each.secret, each.origin): each
        for entrance in table.entrances
        for listener in entrance.listeners
        for each in listener.certificates
    }
    return found.values()


def _text(data: Mapping[str, str], key: str) -> str:
    try:
        return base64.b64decode(data[key], validate=True).decode("ascii")
    except KeyError:
        raise Unusable(f"it has no {key}") from None
    except (binascii.Error, UnicodeDecodeError):
        raise Unusable(f"{key} is no PEM text") from None


def _fault(pair: KeyPair) -> str:
    try:
        check(pair)
    except Unusable as error:
        return str(error)
    return ""


def check(pair: KeyPair) -> None:
    """Raises `Unusable` for what Envoy would refuse. An expired certificate is not refused: its clients see it."""
    # Loaded when there is a certificate to look at: many clusters never have one.
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        chain = x509.load_pem_x509_certificates(pair.certificate.encode())
        public = chain[0].public_key()
    except ValueError as error:
        raise Unusable(f"tls.crt holds no certificate ({_clause(error)})") from None
    try:
        key = serialization.load_pem_private_key(pair.key.encode(), None)
    except (ValueError, TypeError) as error:
        raise Unusable(f"tls.key holds no private key that can be read without a password ({_clause(error)})") from None
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != public.public_bytes(*form):
        raise Unusable("the key in tls.key is not that of the certificate in tls.crt")
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < SMALLEST_RSA:
            raise Unusable(f"its RSA key has {key.key_size} bits; {SMALLEST_RSA} are the least")
    elif not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        raise Unusable("its key is neither RSA nor one of the curves P-256, P-384 and P-521")


def _clause(error: Exception) -> str:
    return str(error).partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__
