"""Handshakes with a real TLS server: what was served, and OpenSSL's verdict on it."""

import re
import socket
import threading
from contextlib import redirect_stdout
from io import StringIO

import pytest
from cryptography.x509 import load_pem_x509_certificate

from kubelab.engine.ingress import default_certificate as default_certificate_program
from kubelab.lab.authority import Issued
from kubelab.lab.errors import CannotRun, LabError
from kubelab.lab.testing import fake_lab

HERE = "127.0.0.1"
SERVED = ("wrong name", "expired", "not yet valid", "self-signed", "no intermediate", "weak key")
"""The mistakes with which a server can shake hands."""


def host(mistake):
    return f"{mistake.replace(' ', '-')}.test"


@pytest.fixture(scope="module")
def lab(tls_lab):
    return tls_lab


def default_certificate():
    """The ingress controller's own, as it makes it."""
    with redirect_stdout(StringIO()) as printed:
        default_certificate_program.main()
    pem, _, key = printed.getvalue().partition("-----BEGIN PRIVATE")
    return Issued(load_pem_x509_certificate(pem.encode()), pem, f"-----BEGIN PRIVATE{key}")


@pytest.fixture(scope="module")
def server(lab, tls_server):
    issued = {host(mistake): lab.certificate(host(mistake), mistake=mistake).issued for mistake in SERVED}
    issued["shop.test"] = lab.certificate("shop.test", "*.shop.test").issued
    issued[""] = default_certificate()
    return tls_server(issued)


def shake(lab, server, name, **asked):
    return lab.tls(name, server.port, address=HERE, **asked)


def test_what_was_served_is_known_by_its_fingerprint(lab, server):
    seen = shake(lab, server, "shop.test")
    assert repr(seen) == "Handshake(shop.test: Secret shop-tls, 1st issue; verified)"
    assert (seen.names, seen.issuer, len(seen.intermediates)) == (
        ("shop.test", "*.shop.test"), "kubelab course intermediate CA", 1,
    )  # fmt: skip
    assert (seen.verified, seen.secret, seen.protocol, seen.alpn) == (True, "shop-tls", "TLSv1.3", "h2")
    assert 89 < seen.days_left < 90


@pytest.mark.parametrize(
    ("mistake", "why", "openssl"),
    [
        ("wrong name", "hostname mismatch", "Hostname mismatch, certificate is not valid for 'wrong-name.test'."),
        ("expired", "expired", "certificate has expired"),
        ("not yet valid", "not yet valid", "certificate is not yet valid"),
        ("self-signed", "self-signed", "self-signed certificate"),
        ("no intermediate", "the intermediate certificate is missing", "unable to get local issuer certificate"),
        ("weak key", "its key is too weak", "EE certificate key too weak"),
    ],
)
def test_what_is_not_verified_says_why(lab, server, mistake, why, openssl):
    seen = shake(lab, server, host(mistake))
    assert not seen.verified
    assert (seen.why_not, seen.openssl) == (why, openssl)
    secret = host(mistake).replace(".test", "-tls")
    assert repr(seen) == f"Handshake({host(mistake)}: Secret {secret}, 1st issue; not verified: {why})"


def test_a_certificate_of_nobody_we_know_has_an_unknown_issuer(lab, server):
    stranger = fake_lab()
    stranger.cluster = lab.cluster
    seen = shake(stranger, server, "shop.test")
    assert repr(seen) == "Handshake(shop.test: a certificate of no Secret; not verified: unknown issuer)"


def test_without_sni_or_with_an_unknown_one_the_default_is_served(lab, server):
    assert repr(shake(lab, server, "shop.test", sni=None)) == (
        "Handshake(shop.test with no SNI: the ingress's default certificate; not verified: self-signed)"
    )
    assert shake(lab, server, "nobody.test").sentence == (
        "the ingress's default certificate; not verified: self-signed"
    )
    assert lab.tls(HERE, server.port).sni is None


def test_with_anothers_sni_the_name_is_wrong(lab, server):
    seen = shake(lab, server, "blog.test", sni="shop.test")
    assert (
        repr(seen)
        == "Handshake(blog.test with SNI shop.test: Secret shop-tls, 1st issue; not verified: hostname mismatch)"
    )
    assert shake(lab, server, "a.shop.test", sni="shop.test").verified
    assert not shake(lab, server, "a.b.shop.test", sni="shop.test").verified


def test_a_certificate_that_was_replaced_is_still_known(lab, tls_server):
    old = lab.certificate("old.test")
    lab.certificate("old.test")
    seen = shake(lab, tls_server({"": old.issued}), "old.test")
    assert seen.sentence == "Secret old-tls, 1st issue (no longer in it); verified"
    assert seen.secret == ""


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the other side does not speak TLS"),
        (b"", "the other side hung up"),
        (b"\x15\x03\x03\x00\x02\x02\x70", "the other side refused with the alert 'unrecognized name'"),
    ],
)
def test_what_is_no_handshake_says_why(lab, says, why):
    with socket.create_server((HERE, 0)) as listener:

        def answer():
            peer, _ = listener.accept()
            with peer:
                peer.recv(1 << 14)
                peer.sendall(says)

        thread = threading.Thread(target=answer)
        thread.start()
        seen = lab.tls("shop.test", listener.getsockname()[1], address=HERE)
        thread.join(10)
    assert repr(seen) == f"Handshake(shop.test: no handshake: {why})"
    assert not seen.verified
    with pytest.raises(LabError, match="No certificate was served"):
        _ = seen.leaf


def test_nobody_there_and_nobody_answering_are_told_apart(lab):
    with socket.socket() as closed:
        closed.bind((HERE, 0))
        port = closed.getsockname()[1]
        assert lab.tls("shop.test", port, address=HERE).error == "the connection was refused"
        closed.listen()
        assert lab.tls("shop.test", port, address=HERE, timeout=0.1).error == "no answer in time"


def test_a_certificate_is_waited_for_until_it_is_served(lab, tls_server):
    old = lab.certificate("late.test")
    other, new = tls_server({"": old.issued}), lab.certificate("late.test")
    assert shake(lab, other, "late.test", until=new, patience=0.1).issue == 1
    timer = threading.Timer(0.2, other.serve, [{"": new.issued}])
    timer.start()
    assert shake(lab, other, "late.test", until=new).sentence == "Secret late-tls, 2nd issue; verified"
    timer.join()


def test_its_html_has_words_and_nothing_that_changes(lab, server):
    html = shake(lab, server, "shop.test")._repr_html_()
    assert "valid for another 90 days" in html
    assert "expired 1 day ago" in shake(lab, server, "expired.test")._repr_html_()
    assert "valid in 1 day" in shake(lab, server, "not-yet-valid.test")._repr_html_()
    assert not re.search(r"[0-9A-Fa-f]{12}|\d{4}-\d\d|127\.", html)


@pytest.mark.parametrize("asked", ["", "a b", "*.test", "https://shop.test", "-a.test", "a" * 64])
def test_what_is_no_host_is_refused(lab, asked):
    with pytest.raises(LabError, match="no host to shake hands with"):
        lab.tls(asked, address=HERE)
    if asked:
        with pytest.raises(LabError, match="no host to shake hands with"):
            lab.tls("shop.test", sni=asked, address=HERE)


@pytest.mark.parametrize("asked", [{"port": 0}, {"port": 70000}, {"timeout": 0}], ids=str)
def test_a_port_that_is_none_and_no_time_are_refused(lab, asked):
    with pytest.raises(LabError, match="cannot be tried"):
        lab.tls("shop.test", address=HERE, **asked)


def test_where_nothing_can_run_outside_it_says_so():
    with pytest.raises(CannotRun, match="send from a pod"):
        fake_lab().tls("shop.test", address=HERE)
