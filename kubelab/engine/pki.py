"""The cluster's private certificate authority and what it has signed. All keys are EC P-256: made in a millisecond.

Made once and kept in the state directory; a certificate is made anew when less than a third of its life is left,
when the names it must stand for change, or when its authority has changed.
Names and roles follow kubeadm (https://kubernetes.io/docs/setup/best-practices/certificates/).
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubelab.engine.config import CLUSTER_DOMAIN, KUBERNETES_SERVICE_IP, NodeSpec
from kubelab.engine.state import StateDir

AUTHORITY_LIFE = timedelta(days=3650)
CERTIFICATE_LIFE = timedelta(days=365)
CLOCK_SKEW = timedelta(hours=1)
"""Certificates are valid from this long ago, for machines whose clocks disagree."""


class PKI:
    """Keys, certificates and ready TLS contexts of one cluster, made or renewed when constructed."""

    def __init__(self, state: StateDir, nodes: Sequence[NodeSpec], *, now: datetime | None = None) -> None:
        self._state = state
        self._now = now or datetime.now(UTC)
        directory = state.pki
        self.ca_cert, self.ca_key = directory / "ca.crt", directory / "ca.key"
        self.apiserver_cert, self.apiserver_key = directory / "apiserver.crt", directory / "apiserver.key"
        self.kubelet_cert, self.kubelet_key = directory / "kubelet.crt", directory / "kubelet.key"
        self.kubelet_client_cert = directory / "apiserver-kubelet-client.crt"
        self.kubelet_client_key = directory / "apiserver-kubelet-client.key"
        self.service_account_key = directory / "sa.key"
        """PEM, private; service account tokens are signed with it (ES256)."""

        self._authority = self._load_authority()
        own = [part for node in nodes if node.control_plane for part in (node.name, node.ip)]
        self._issue(
            self.apiserver_cert,
            self.apiserver_key,
            "kube-apiserver",
            hosts=(*_API_SERVER_NAMES, *own),
            usage=ExtendedKeyUsageOID.SERVER_AUTH,
        )
        self._issue(
            self.kubelet_cert,
            self.kubelet_key,
            "system:nodes",
            hosts=("localhost", "127.0.0.1", *(part for node in nodes for part in (node.name, node.ip))),
            usage=ExtendedKeyUsageOID.SERVER_AUTH,
        )
        self._issue(
            self.kubelet_client_cert,
            self.kubelet_client_key,
            "kube-apiserver-kubelet-client",
            usage=ExtendedKeyUsageOID.CLIENT_AUTH,
        )
        if not _readable_key(self.service_account_key):
            self._write_key(self.service_account_key, ec.generate_private_key(ec.SECP256R1()))

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate, for a kubeconfig and for ``ca.crt`` in pods."""
        return self.ca_cert.read_bytes()

    def apiserver_tls(self) -> ssl.SSLContext:
        """For the API server's listening side."""
        return _server_tls(self.apiserver_cert, self.apiserver_key)

    def kubelet_tls(self) -> ssl.SSLContext:
        """For a node agent's listening side; only the API server's client certificate gets in."""
        context = _server_tls(self.kubelet_cert, self.kubelet_key)
        context.load_verify_locations(self.ca_cert)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def kubelet_client_tls(self) -> ssl.SSLContext:
        """For the API server when it calls a node agent."""
        context = self.client_tls()
        context.load_cert_chain(self.kubelet_client_cert, self.kubelet_client_key)
        return context

    def client_tls(self) -> ssl.SSLContext:
        """For a client of the API server: trusts this authority only."""
        return ssl.create_default_context(cafile=str(self.ca_cert))

    def _load_authority(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        known, key = _readable_certificate(self.ca_cert), _readable_key(self.ca_key)
        if known and key and not self._due(known) and known.public_key() == key.public_key():
            return known, key
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("kubelab CA")
        certificate = (
            self._builder(name, name, key, AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        self._write_key(self.ca_key, key)
        self._write_certificate(self.ca_cert, certificate)
        return certificate, key

    def _issue(
        self, cert: Path, key_path: Path, common_name: str, *, usage: x509.ObjectIdentifier, hosts: Sequence[str] = ()
    ) -> None:
        wanted = [_general_name(host) for host in dict.fromkeys(hosts)]
        known, key = _readable_certificate(cert), _readable_key(key_path)
        if known and key and self._good(known, wanted) and known.public_key() == key.public_key():
            return
        authority, authority_key = self._authority
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_name(common_name), authority.subject, key, CERTIFICATE_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(_authority_key_identifier(authority), critical=False)
        )
        if wanted:
            builder = builder.add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        self._write_key(key_path, key)
        self._write_certificate(cert, builder.sign(authority_key, hashes.SHA256()))

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

    def _good(self, certificate: x509.Certificate, wanted: list[x509.GeneralName]) -> bool:
        if self._due(certificate) or _names_in(certificate) != wanted:
            return False
        issued_by = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        return issued_by == _authority_key_identifier(self._authority[0])

    def _write_key(self, path: Path, key: ec.EllipticCurvePrivateKey) -> None:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._state.write(path, pem)

    def _write_certificate(self, path: Path, certificate: x509.Certificate) -> None:
        self._state.write(path, certificate.public_bytes(serialization.Encoding.PEM))


_API_SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
    "127.0.0.1",
    KUBERNETES_SERVICE_IP,
)


def _server_tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


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


def _authority_key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
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


def _readable_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """The key; None when there is none or the file is damaged."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
