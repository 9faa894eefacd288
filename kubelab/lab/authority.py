"""The course's certificate authority: a root that everybody may trust, and an intermediate that signs for it.

It is made once for a cluster and kept in the cluster's state directory, so that certificates outlive the notebook's
kernel. The root's key is thrown away as soon as it has signed the intermediate: nothing else may ever be signed by it.
With the authority goes a register of what it has issued, by which a certificate is known again when it is served.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kubelab.engine.authority import authority_key_identifier, key_usage
from kubelab.lab.errors import LabError

Mistake = Literal[
    "wrong name", "expired", "not yet valid", "self-signed", "other key", "no intermediate", "weak key", "garbled"
]
"""What may be wrong with a certificate: it is for ``not-NAME``; its time is over or has not come; it has signed itself;
the private key is another's; the intermediate is left out; the key is an RSA key of 1024 bits; the text is cut off."""
MISTAKES: tuple[Mistake, ...] = get_args(Mistake)

ROOT, INTERMEDIATE = "kubelab course CA", "kubelab course intermediate CA"
_LIFE = timedelta(days=3650)
LONGEST_DAYS = 36500
_CLOCK_SKEW = timedelta(hours=1)
"""Certificates are valid from this long ago, for machines whose clocks disagree."""
_DAY = timedelta(days=1)
_DNS_NAME = re.compile(r"(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Entry(NamedTuple):
    """A line of the register: which certificate was put into which Secret, as its how-manieth."""

    fingerprint: str
    namespace: str
    secret: str
    issue: int


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key, as they go into ``tls.crt`` and ``tls.key``."""

    certificate: x509.Certificate
    pem: str
    """The certificate and after it the intermediate's, as a server sends them."""
    key: str


class Authority:
    """Issues certificates. One is made in memory; `kept_in` gives the one of a directory."""

    def __init__(self, pem: str = "") -> None:
        """``pem``: what `_created` made before."""
        self._pem = pem or _created()
        self.root, self.intermediate = x509.load_pem_x509_certificates(self._pem.encode())
        key = serialization.load_pem_private_key(self._pem[self._pem.index("-----BEGIN PRIVATE") :].encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._directory: Path | None = None
        self._entries: list[Entry] = []

    @classmethod
    def kept_in(cls, directory: Path) -> Authority:
        """The authority of a directory, made when there is none yet. Raises `LabError` when it cannot be kept."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            authority = cls(_first_of_all(directory / "authority.pem"))
            authority._directory = directory
            if not authority.path.exists():
                authority.path.write_text(authority.pem)
        except OSError as error:
            raise LabError(
                f"The course's certificate authority cannot be kept in {directory} ({error.strerror}): "
                "set KUBELAB_HOME to a directory that you may write to."
            ) from error
        return authority

    @property
    def pem(self) -> str:
        """The root's certificate, which a client has to trust."""
        return _text(self.root)

    @property
    def path(self) -> Path:
        """A file with the root's certificate: ``curl --cacert``. Raises `LabError` for an authority in memory."""
        if self._directory is None:
            raise LabError("This authority lives in memory only; its certificate is in `pem`.")
        return self._directory / "ca.crt"

    def issue(self, *names: str, days: float = 90, mistake: Mistake | None = None) -> Issued:
        """A certificate for DNS names (``*.example.test`` too) or addresses, valid for so many days from now.

        ``mistake``: with one thing wrong. Raises `LabError`.
        """
        if mistake not in (None, *MISTAKES):
            raise LabError(f"{mistake!r} is no mistake that can be asked for; there are {', '.join(MISTAKES)}.")
        if not names or not 0 < days <= LONGEST_DAYS:
            raise LabError(
                f"A certificate needs at least one name, and from 0 to {LONGEST_DAYS} days to live; for one that is "
                "over: mistake='expired'."
            )
        wanted = [f"not-{name.removeprefix('*.')}" for name in names] if mistake == "wrong name" else list(names)
        key = rsa.generate_private_key(65537, 1024) if mistake == "weak key" else _new_key()
        certificate = self._signed(wanted, key, _life(days, mistake), alone=mistake == "self-signed")
        alone = mistake in ("self-signed", "no intermediate")
        pem = _text(certificate) + ("" if alone else _text(self.intermediate))
        given = _new_key() if mistake == "other key" else key
        return Issued(certificate, pem[: len(pem) // 4] if mistake == "garbled" else pem, _key_text(given))

    def enter(self, entry: Entry) -> None:
        """Put a line into the register."""
        self._entries.append(entry)
        if self._directory is not None:
            # One short line, appended in one write: notebooks beside each other do not mix theirs.
            with open(self._directory / "issued.jsonl", "a") as file:
                file.write(json.dumps(entry) + "\n")

    def entry(self, fingerprint: str) -> Entry | None:
        """What the register says of a certificate; None when it was not put into a Secret by the course."""
        return next((entry for entry in reversed(self._register()) if entry.fingerprint == fingerprint), None)

    def __repr__(self) -> str:
        return f"Authority({ROOT})"

    def _register(self) -> list[Entry]:
        if self._directory is not None:
            with suppress(FileNotFoundError):
                lines = (self._directory / "issued.jsonl").read_text().splitlines()
                self._entries = [Entry(*json.loads(line)) for line in lines]
        return self._entries

    def _signed(
        self, names: Sequence[str], key: Key, life: tuple[datetime, datetime], *, alone: bool
    ) -> x509.Certificate:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        subject = _common_name(names[0])
        issuer = subject if alone else self.intermediate.subject
        builder = (
            _builder(subject, issuer, key, life)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        if alone:
            return builder.sign(key, hashes.SHA256())
        return builder.add_extension(authority_key_identifier(self.intermediate), critical=False).sign(
            self._key, hashes.SHA256()
        )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the whole certificate, in hex: two with the same are the same."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def names_in(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names and addresses that a certificate is for (its subject alternative names)."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found if isinstance(name, (x509.DNSName, x509.IPAddress)))


def common_name(name: x509.Name) -> str:
    """The CN of a subject or an issuer; the whole name where it has none."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _first_of_all(path: Path) -> str:
    """The text of the authority's file. Of two who make it at the same moment, one is first, and both take his."""
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".authority.") as file:
            file.write(_created())
            file.flush()
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()


def _created() -> str:
    """A root's certificate, an intermediate's, and the intermediate's key."""
    now = datetime.now(UTC)
    life = (now - _CLOCK_SKEW, now + _LIFE)
    root_key, key = _new_key(), _new_key()
    root_name = _common_name(ROOT)
    root = (
        _builder(root_name, root_name, root_key, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(key_usage(authority=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    intermediate = (
        _builder(_common_name(INTERMEDIATE), root_name, key, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(authority=True), critical=True)
        .add_extension(authority_key_identifier(root), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return _text(root) + _text(intermediate) + _key_text(key)


def _life(days: float, mistake: Mistake | None) -> tuple[datetime, datetime]:
    now, life = datetime.now(UTC), timedelta(days=days)
    if mistake == "expired":
        return now - _DAY - life, now - _DAY
    if mistake == "not yet valid":
        return now + _DAY, now + _DAY + life
    return now - _CLOCK_SKEW, now + life


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, life: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _common_name(text: str) -> x509.Name:
    # X.520 allows a common name 64 characters; who verifies reads the alternative names only.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if len(name) > 253 or not _DNS_NAME.fullmatch(name):
        raise LabError(
            f"{name!r} is no name for a certificate: lower-case labels of letters, digits and '-' with dots between "
            "them, '*.' in front for any one label."
        )
    return x509.DNSName(name)


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_text(key: Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
