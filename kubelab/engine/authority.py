"""A private certificate authority and what it signs. All keys are EC P-256: made in a millisecond.

A certificate is made anew when less than a third of its life is left, when the names it must stand for or whom it is
for change, or when its authority has changed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubelab.engine.state import StateDir

AUTHORITY_LIFE = timedelta(days=3650)
CERTIFICATE_LIFE = timedelta(days=365)
CLOCK_SKEW = timedelta(days=1)
"""Certificates are valid from this long ago, for machines whose clocks disagree, or are set back."""

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Authority:
    """One authority of a cluster, in two files; made or renewed when constructed."""

    def __init__(self, state: StateDir, cert: Path, key: Path, name: str, now: datetime) -> None:
        self.cert, self.key = cert, key
        self._state = state
        self._now = now
        self._authority = self._load(name)

    def issue(
        self,
        cert: Path,
        key_path: Path,
        common_name: str,
        *,
        usage: Sequence[x509.ObjectIdentifier],
        hosts: Sequence[str] = (),
        groups: Sequence[str] = (),
    ) -> None:
        """See that there is a certificate for these hosts, or for a user of these groups, and its key."""
        subject = _name(common_name, groups)
        wanted = [_general_name(host) for host in dict.fromkeys(hosts)]
        known, key = _readable_certificate(cert), readable_key(key_path)
        if known and key and self._good(known, subject, wanted) and known.public_key() == key.public_key():
            return
        authority, authority_key = self._authority
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(subject, authority.subject, key, CERTIFICATE_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(authority_key_identifier(authority), critical=False)
        )
        if wanted:
            builder = builder.add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        write_key(self._state, key_path, key)
        self._write_certificate(cert, builder.sign(authority_key, hashes.SHA256()))

    def _load(self, common_name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        known, key = _readable_certificate(self.cert), readable_key(self.key)
        if known and key and not self._due(known) and known.public_key() == key.public_key():
            return known, key
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(common_name)
        certificate = (
            self._builder(name, name, key, AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(authority=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_key(self._state, self.key, key)
        self._write_certificate(self.cert, certificate)
        return certificate, key

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - CLOCK_SKEW)
            .not_valid_after(self._now + life)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    def _due(self, certificate: x509.Certificate) -> bool:
        """Whether it should be made anew: little of its life is left, or it begins in the future."""
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return begins > self._now or ends - self._now < (ends - begins) / 3

    def _good(self, certificate: x509.Certificate, subject: x509.Name, wanted: list[x509.GeneralName]) -> bool:
        if self._due(certificate) or certificate.subject != subject or _names_in(certificate) != wanted:
            return False
        issued_by = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        return issued_by == authority_key_identifier(self._authority[0])

    def _write_certificate(self, path: Path, certificate: x509.Certificate) -> None:
        self._state.write(path, certificate.public_bytes(serialization.Encoding.PEM))


def _name(common_name: str, groups: Sequence[str] = ()) -> x509.Name:
    """A user and its groups, as Kubernetes reads them from a certificate: common name and organizations."""
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _names_in(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def authority_key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Which key has signed, for what an authority issues."""
    own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def key_usage(*, authority: bool) -> x509.KeyUsage:
    """What a certificate's key is for: signatures, of an authority also on certificates."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _readable_certificate(path: Path) -> x509.Certificate | None:
    """The certificate; None when there is none or the file is damaged."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def write_key(state: StateDir, path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Keep a private key as PEM. Raises `StateError`."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    state.write(path, pem)


def readable_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """The key; None when there is none or the file is damaged."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
