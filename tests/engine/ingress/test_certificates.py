"""What Envoy can take of a Secret, and what is told of the rest."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from kubelab.engine.ingress import default_certificate
from kubelab.engine.ingress.certificates import Certificates
from kubelab.engine.ingress.compile import KeyPair
from kubelab.lab.authority import Authority
from kubelab.routing.model import Certificate, Entrance, Listener, ObjectName, Origin, Table

SECRET = ObjectName("Secret", "default", "shop-tls")
WHERE = Origin(ObjectName("Ingress", "default", "shop"), "spec.tls[0]")
TABLE = Table((Entrance(443, True, (Listener(certificates=(Certificate(SECRET, ("shop.test",), WHERE),)),)),))


@pytest.fixture(scope="module")
def authority():
    return Authority()


def data(issued):
    texts = {"tls.crt": issued.pem, "tls.key": issued.key}
    return {SECRET: {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}}


@pytest.mark.parametrize("mistake", [None, "wrong name", "expired", "not yet valid", "self-signed", "no intermediate"])
def test_what_is_the_clients_to_judge_is_served(authority, mistake):
    issued = authority.issue("shop.test", mistake=mistake)
    certificates = Certificates()
    assert certificates.read(TABLE, data(issued)) == []
    assert certificates.good == {SECRET: (issued.pem, issued.key)}


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("other key", "the key in tls.key is not that of the certificate in tls.crt"),
        ("weak key", "its RSA key has 1024 bits; 2048 are the least"),
        ("garbled", "tls.crt holds no certificate"),
    ],
)
def test_what_cannot_be_served_is_told_and_the_last_good_one_stays(authority, mistake, words):
    good, bad = authority.issue("shop.test"), authority.issue("shop.test", mistake=mistake)
    certificates = Certificates()
    [problem] = certificates.read(TABLE, data(bad))
    assert (problem.origin, problem.reason) == (WHERE, "SecretInvalid")
    assert problem.message.startswith(f"Secret shop-tls cannot be served: {words}")
    assert certificates.good == {}
    certificates.read(TABLE, data(good))
    [problem] = certificates.read(TABLE, data(bad))
    assert problem.message.endswith("; the last good certificate stays in service")
    assert certificates.good == {SECRET: (good.pem, good.key)}
    assert certificates.read(TABLE, data(good)) == []


@pytest.mark.parametrize("key", ["%%%", base64.b64encode(b"no key").decode(), base64.b64encode(b"\xff").decode()])
def test_a_key_that_is_none_is_told(authority, key):
    secret = data(authority.issue("shop.test"))
    secret[SECRET]["tls.key"] = key
    [problem] = Certificates().read(TABLE, secret)
    assert "tls.key" in problem.message


def test_a_kind_of_key_that_envoy_does_not_know_is_told(authority):
    key = ed25519.Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    issued = dataclasses.replace(authority.issue("shop.test"), key=pem)
    [problem] = Certificates().read(TABLE, data(issued))
    assert "not that of the certificate" in problem.message


def test_what_nobody_asks_for_any_more_is_forgotten(authority):
    certificates = Certificates()
    certificates.read(TABLE, data(authority.issue("shop.test")))
    certificates.read(Table(), {})
    assert certificates.good == {}


def test_the_default_certificate_says_what_it_is(capsys):
    assert default_certificate.main() == 0
    printed = capsys.readouterr().out
    assert printed.count("-----BEGIN ") == 2
    pair = KeyPair(printed, printed[printed.index("-----BEGIN PRIVATE") :])
    assert default_certificate.COMMON_NAME == "Kubelab Ingress Controller Default Certificate"
    assert pair.key.endswith("-----END PRIVATE KEY-----\n")
