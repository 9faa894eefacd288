"""The certificate for names that no Secret is for: self-signed, and easy to recognise."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

COMMON_NAME = "Kubelab Ingress Controller Default Certificate"
DAYS = 365


def main() -> int:
    """Print a fresh certificate and its key. A process of its own: what makes keys is large, and used once."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, COMMON_NAME)])
    begin = datetime.now(UTC) - timedelta(minutes=5)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ingress.invalid")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    sys.stdout.write(certificate.public_bytes(pem).decode())
    sys.stdout.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode())
    return 0
