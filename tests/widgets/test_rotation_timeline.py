import base64
import threading
import time

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from kubelab.lab.authority import fingerprint
from kubelab.lab.errors import LabError
from kubelab.lab.handshakes import Reader
from kubelab.lab.tls_watch import TlsWatch
from kubelab.widgets import RotationTimeline, rotation_timeline

SECRET = "/api/v1/namespaces/lesson/secrets/shop-tls"


class Handshakes:
    """A client program in memory: it is always served what the Secret holds."""

    def __init__(self, lab):
        self._lab, self._stopped = lab, threading.Event()

    def results(self, timeout_seconds, began=lambda: None):
        began()
        zero = time.monotonic()
        while not self._stopped.wait(0.002):
            line = {"at": time.monotonic() - zero, "seconds": 0.001}
            if SECRET not in self._lab.api.objects:
                yield {**line, "error": "the connection was refused"}
                continue
            pem = base64.b64decode(self._lab.api.objects[SECRET]["data"]["tls.crt"])
            leaf = load_pem_x509_certificate(pem)
            chain = [base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()]
            yield {**line, "fingerprint": fingerprint(leaf), "chain": chain, "code": 0}

    def stop(self):
        self._stopped.set()


@pytest.fixture
def lab(lab_in_memory, monkeypatch):
    lab = lab_in_memory
    lab.certificate("shop.test", "www.shop.test")

    def watch_tls(host, **how):
        return TlsWatch(host, lambda: Handshakes(lab), Reader(lab, {"host": host, "sni": host}))

    monkeypatch.setattr(lab, "watch_tls", watch_tls)
    monkeypatch.setattr(rotation_timeline, "DRAW_SECONDS", 0.01)
    return lab


@pytest.fixture
def panel(lab):
    panel = RotationTimeline(lab, "shop.test")
    yield panel
    panel.close()


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_button_replaces_the_certificate_and_the_new_one_is_seen(panel, lab):
    panel.start()
    until(lambda: panel.sentence)
    panel.rotations += 1
    until(lambda: "2nd issue" in panel.sentence)
    panel.stop()
    assert panel.problem == ""
    assert panel.sentence.startswith("Secret shop-tls, 1st issue, then 2nd issue")
    assert panel.sentence.endswith("no handshake failed")
    assert [event.name for event in panel.record.events] == ["rotated"]
    assert "Secret shop-tls, 2nd issue" in panel.picture
    assert "www.shop.test" in repr(lab.certificate("shop.test", "www.shop.test"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("kubelab-rot", "kubelab-tls"))]


def test_what_cannot_be_rotated_says_why(panel, lab):
    panel.rotations += 1
    assert "start, and wait" in panel.problem
    lab.delete("secret/shop-tls")
    panel.start()
    until(lambda: "refused" in panel.sentence)
    panel.rotations += 1
    assert "start, and wait" in panel.problem
    panel.stop()


def test_a_cell_that_is_run_again_ends_the_panel_from_before(panel, lab):
    panel.start()
    newer = RotationTimeline(lab, "shop.test")
    assert not panel.running
    newer.close()


def test_what_is_stored_of_a_panel_is_the_same_on_every_run(panel):
    bundle = panel._repr_mimebundle_()[0]
    assert bundle["text/plain"] == "RotationTimeline(shop.test)"
    assert "Run this cell" in bundle["text/html"]


def test_a_record_from_before_is_shown_with_its_story(lab):
    with lab.watch_tls("shop.test") as record, record.event("rotated"):
        lab.certificate("shop.test")
    panel = RotationTimeline(record)
    bundle = panel._repr_mimebundle_()[0]
    assert bundle["text/plain"].startswith("RotationTimeline(shop.test: Secret shop-tls, 1st issue, then 2nd issue")
    assert bundle["text/html"] == record._repr_html_()
    assert "rotated" in panel.picture
    with pytest.raises(LabError, match="record from before"):
        panel.start()
    panel.close()


def test_a_panel_needs_a_host(lab):
    with pytest.raises(LabError, match="whom to shake hands with"):
        RotationTimeline(lab)
