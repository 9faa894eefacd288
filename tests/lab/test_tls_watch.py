"""Handshakes over time, with a real server whose certificates are replaced meanwhile."""

import re
import threading
from base64 import b64encode

import pytest

from kubelab.lab.errors import LabError
from kubelab.lab.tls_pictures import phases_of

HERE = "127.0.0.1"


@pytest.fixture
def lab(tls_lab):
    tls_lab.delete("secret/shop-tls")
    return tls_lab


@pytest.fixture
def server(lab, tls_server):
    return tls_server({"": lab.certificate("shop.test").issued})


def watch(lab, server, **asked):
    return lab.watch_tls("shop.test", server.port, address=HERE, rate=200, **asked)


def rotate(lab, server, **asked):
    server.serve({"": lab.certificate("shop.test", **asked).issued})


def test_a_rotation_is_seen_as_two_certificates_and_no_failure(lab, server):
    with watch(lab, server) as record, record.event("rotated"):
        rotate(lab, server)
    assert (
        repr(record)
        == "TlsWatch(shop.test: Secret shop-tls, 1st issue, then 2nd issue, within 5 s; no handshake failed)"
    )
    assert lab.last_tls_watch is record
    assert (len(record.certificates), record.failed) == (2, 0)
    assert record.took() == record.took("rotated") < 5
    old, new = record.certificates
    assert [{shake.fingerprint for shake in phase} for phase in phases_of(record)] == [{old}, {new}]
    with pytest.raises(LabError, match="there are: rotated"):
        record.took("rolled out")


def test_a_certificate_that_somebody_else_has_made_is_known_by_the_secret_that_it_was_in(lab, tls_server):
    def put(issued):
        data = {"tls.crt": b64encode(issued.pem.encode()).decode(), "tls.key": b64encode(issued.key.encode()).decode()}
        metadata = {"name": "own"}
        lab.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "data": data}
        )

    old, new = lab.authority.issue("shop.test"), lab.authority.issue("shop.test")
    put(old)
    server = tls_server({"": old})
    with watch(lab, server) as record, record.event("rotated"):
        put(new)
        server.serve({"": new})
    assert [str(record.owner(each)) for each in record.certificates] == ["Secret own (no longer in it)", "Secret own"]
    assert record.sentence == "Secret own, then another certificate in Secret own, within 5 s; no handshake failed"


def test_a_certificate_that_is_not_verified_fails_and_says_why(lab, server):
    with watch(lab, server) as record, record.event("rotated"):
        rotate(lab, server, mistake="expired")
    assert record.sentence == "Secret shop-tls, 1st issue, then 2nd issue, within 5 s; some handshakes failed: expired"
    assert {shake.failure for shake in record.failures} == {"expired"}


def test_a_change_without_an_effect_is_not_waited_for_in_vain(lab, server):
    with watch(lab, server) as record, record.event("a bad Secret", timeout=0.05):
        lab.certificate("shop.test", mistake="garbled")
    assert record.took() == float("inf")
    assert record.sentence == "Secret shop-tls, 1st issue; no handshake failed"


def test_who_does_not_serve_at_all_fails_every_handshake(lab):
    with lab.watch_tls("shop.test", 1, address=HERE, rate=200) as record:
        pass
    assert repr(record) == "TlsWatch(shop.test: no certificate; every handshake failed: the connection was refused)"


def test_a_block_that_fails_ends_the_client(lab, server):
    with pytest.raises(ZeroDivisionError), watch(lab, server):
        1 / 0  # noqa: B018
    assert not [thread for thread in threading.enumerate() if thread.name == "kubelab-tls-watch"]


def test_its_story_is_the_same_on_every_run(lab, server):
    stories = set()
    for _ in range(2):
        lab.delete("secret/shop-tls")
        rotate(lab, server)
        with watch(lab, server) as record, record.event("rotated"):
            rotate(lab, server)
        stories.add(record._repr_html_())
    (html,) = stories
    assert html.count("●" * 10) == 2
    assert not re.search(r"[0-9a-f]{12}|127\.", html)


def test_the_picture_has_a_row_for_every_certificate_and_marks_the_event(lab, server):
    with watch(lab, server) as record, record.event("rotated"):
        rotate(lab, server)
    axes = record.plot().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "Secret shop-tls, 1st issue", "Secret shop-tls, 2nd issue", "failed",
    ]  # fmt: skip
    assert [text.get_text() for text in axes.texts] == [" rotated"]
