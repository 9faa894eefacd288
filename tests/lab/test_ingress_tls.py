"""The whole way on a real cluster: a certificate from the course CA, a Secret, an Ingress, Envoy, a client outside."""

import pytest

from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab, LabError
from kubelab.lab.api import KubeconfigApi
from kubelab.lab.authority import Authority
from kubelab.lab.entrance import entrance
from kubelab.widgets import CertificateView

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
spec:
  tls:
  - {hosts: [shop.example.test], secretName: shop-tls}
  - {hosts: [blog.example.test], secretName: blog-tls}
  defaultBackend:
    service: {name: web, port: {number: 80}}
  rules:
  - host: shop.example.test
  - host: blog.example.test
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        cluster = EmbeddedCluster("tls")
        try:
            cluster.up()
            lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "shop")
            shop, blog = lab.certificate("shop.example.test"), lab.certificate("blog.example.test", days=3)
            lab.apply(INGRESS)
            for host, certificate in (("shop.example.test", shop), ("blog.example.test", blog)):
                assert lab.tls(host, until=certificate).verified
            yield lab
        finally:
            cluster.down()


def test_each_host_has_the_certificate_of_its_own_secret_and_strangers_the_default_one(lab):
    assert entrance(lab, "shop.example.test").named_by == "Ingress shop"
    view = CertificateView(lab)
    assert repr(view).splitlines()[:4] == [
        "shop.example.test    Secret shop-tls, 1st issue: ✔ verified",
        "blog.example.test    Secret blog-tls, 1st issue: ✔ verified",
        "nobody.example.test  the ingress's default certificate: ✖ self-signed",
        "no SNI               the ingress's default certificate: ✖ self-signed",
    ]
    view.close()


def test_a_pod_and_curl_are_content_too(lab):
    assert lab.tls("shop.example.test", source=None).verified
    address = entrance(lab, "shop.example.test").address
    argv = ["curl", "-s", "-o", "/dev/null", "--cacert", str(lab.authority.path), "--resolve"]
    done = lab.cluster.outside.run([*argv, f"shop.example.test:443:{address}", "https://shop.example.test/"])
    assert done.code in (0, 127)


def test_a_rotation_costs_no_handshake_and_a_bad_secret_changes_nothing(lab):
    before = lab.tls("blog.example.test")
    with lab.watch_tls("blog.example.test", rate=50) as watch:
        with watch.event("rotated"):
            lab.certificate("blog.example.test")
        with watch.event("a key of another", timeout=1):
            lab.certificate("blog.example.test", mistake="other key")
    assert watch.failures == []
    assert len(watch.certificates) == 2
    assert watch.certificates[0] == before.fingerprint
    assert watch.sentence.startswith("Secret blog-tls, 1st issue, then 2nd issue")
    assert watch.took("a key of another") == float("inf")


def test_certificates_outlive_the_notebooks_kernel(lab):
    again = Lab(lab.cluster, lab.api, lab.namespace)
    assert again.authority is not lab.authority
    assert again.tls("shop.example.test").sentence == "Secret shop-tls, 1st issue; verified"
    assert Authority().pem != again.authority.pem


def test_nobody_listens_elsewhere(lab):
    assert lab.tls("shop.example.test", 444, timeout=1).error
    with pytest.raises(LabError, match="no way in"):
        lab.tls("shop.example.test", via="shop")
