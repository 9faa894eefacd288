import base64

import pytest
from cryptography import x509

from kubelab.lab.authority import fingerprint
from kubelab.lab.certificates import ordinal
from kubelab.lab.errors import LabError
from kubelab.lab.testing import fake_lab

SECRET = "/api/v1/namespaces/{}/secrets/{}"


@pytest.fixture
def lab():
    return fake_lab()


def in_secret(lab, name, namespace="lesson"):
    return lab.api.objects[SECRET.format(namespace, name)]


def test_it_makes_a_secret_that_an_ingress_can_use(lab):
    made = lab.certificate("shop.example.test", "www.shop.example.test")
    secret = in_secret(lab, "shop-tls")
    assert secret["type"] == "kubernetes.io/tls"
    assert sorted(secret["data"]) == ["tls.crt", "tls.key"]
    pem = base64.b64decode(secret["data"]["tls.crt"])
    assert pem.decode() == made.pem
    assert fingerprint(x509.load_pem_x509_certificate(pem)) == made.fingerprint
    assert repr(made) == (
        "Certificate(shop.example.test, www.shop.example.test: valid for 90 days; 1st issue in Secret shop-tls)"
    )


def test_asked_for_again_it_replaces_the_certificate_and_counts(lab):
    first = lab.certificate("shop.example.test")
    second = lab.certificate("shop.example.test", days=1)
    assert repr(second) == "Certificate(shop.example.test: valid for 1 day; 2nd issue in Secret shop-tls)"
    assert base64.b64decode(in_secret(lab, "shop-tls")["data"]["tls.crt"]).decode() == second.pem != first.pem
    assert lab.authority.entry(first.fingerprint).issue == 1
    lab.delete("secret/shop-tls")
    assert lab.certificate("shop.example.test").issue == 1


def test_another_name_and_another_namespace_for_the_secret(lab):
    made = lab.certificate("*.example.test", secret="wild", namespace="elsewhere")
    assert in_secret(lab, "wild", "elsewhere")
    assert repr(made) == "Certificate(*.example.test: valid for 90 days; 1st issue in Secret elsewhere/wild)"
    assert lab.certificate("*.example.test").secret == "example-tls"


@pytest.mark.parametrize(
    ("mistake", "certificate"),
    [
        ("wrong name", "not-shop.test: valid for 90 days"),
        ("expired", "shop.test: expired a day ago"),
        ("not yet valid", "shop.test: valid from tomorrow"),
        ("self-signed", "shop.test: valid for 90 days"),
    ],
)
def test_a_mistake_is_named(lab, mistake, certificate):
    made = lab.certificate("shop.test", mistake=mistake)
    assert repr(made) == f"Certificate({certificate}; 1st issue in Secret shop-tls; mistake: {mistake})"


def test_a_cut_off_text_is_no_certificate(lab):
    lab.certificate("shop.test", mistake="garbled")
    with pytest.raises(ValueError, match="PEM"):
        x509.load_pem_x509_certificate(base64.b64decode(in_secret(lab, "shop-tls")["data"]["tls.crt"]))


def test_a_secret_of_another_type_is_left_alone(lab):
    lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-tls"}, "type": "Opaque"})
    with pytest.raises(LabError, match=r"of type Opaque already.*lab\.delete\('secret/shop-tls'\)"):
        lab.certificate("shop.test")


def test_numbers_in_words():
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 102, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "112th",
    ]  # fmt: skip
