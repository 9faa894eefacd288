"""Client certificates, as the listening side hands them on: CN is the user, every O a group."""

from __future__ import annotations

import datetime
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubelab.engine.apiserver.auth import certificate_header
from tests.engine.apiserver import network

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


def client_certificate(folder: Path, name: str, *groups: str) -> tuple[Path, Path]:
    """Signed by the folder's authority: certificate and key."""
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    subject = x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(*pem))
    return paths


@pytest.fixture
async def asking_port(server, tls_folder) -> AsyncIterator[int]:
    """The port of a server that takes certificates, as the engine's does."""
    tls = network.server_tls(tls_folder)
    tls.load_verify_locations(tls_folder / "ca.crt")
    tls.verify_mode = ssl.CERT_OPTIONAL
    sock = network.loopback()
    serving = await server.serve([sock], tls)
    yield sock.getsockname()[1]
    await serving.close()


async def test_a_certificate_says_who_asks(asking_port, tls_folder, tmp_path) -> None:
    certificate, key = client_certificate(tls_folder, "ada", "class", "system:masters")
    path = network.kubeconfig(tls_folder, tmp_path, asking_port)
    path.write_text(
        path.read_text().replace(f"token: {network.TOKEN}", f"client-certificate: {certificate}, client-key: {key}")
    )
    shown = await network.Kubectl(path, tmp_path).ok("auth", "whoami", "-o", "yaml")
    assert "username: ada" in shown
    for group in ("class", "system:masters", "system:authenticated"):
        assert f"- {group}\n" in shown


async def test_tokens_go_on_as_before(asking_port, tls_folder, tmp_path) -> None:
    path = network.kubeconfig(tls_folder, tmp_path, asking_port)
    assert "kubernetes-admin" in await network.Kubectl(path, tmp_path).ok("auth", "whoami")


@pytest.mark.parametrize("subject", [(), ((("organizationName", "system:masters"),),), ((("commonName", ""),),)])
def test_a_certificate_without_a_name_is_nobodys(subject) -> None:
    assert certificate_header({"subject": subject}) == ""
