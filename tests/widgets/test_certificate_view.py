import re

import pytest

from kubelab.lab.errors import CannotRun, LabError
from kubelab.lab.served import Handshake, Owner
from kubelab.widgets import CertificateView

VERDICTS = {"expired": (10, "expired"), "self-signed": (18, "self-signed")}


@pytest.fixture
def lab(lab_in_memory, monkeypatch):
    """A lab whose ingress serves two hosts, one of them with an expired certificate; for others its default."""
    lab = lab_in_memory
    shop = lab.certificate("shop.test")
    blog = lab.certificate("blog.test", mistake="expired", days=30)
    default = lab.authority.issue("ingress.invalid", mistake="self-signed", days=365)
    served = {
        "shop.test": (shop.issued, Owner("shop-tls", 1), ""),
        "blog.test": (blog.issued, Owner("blog-tls", 1), "expired"),
    }
    lab.shaken = []

    def tls(host, *, sni="", **how):
        said = host if sni == "" else sni
        lab.shaken.append((host, sni, how["port"]))
        if said == "down.test":
            return Handshake(host, said, "192.0.2.1", error="the connection was refused")
        issued, owner, wrong = served.get(said, (default, Owner(default=True), "self-signed"))
        code, why = VERDICTS.get(wrong, (0, ""))
        return Handshake(host, said, "192.0.2.1", chain=(issued.certificate,), code=code, why_not=why, owner=owner)

    monkeypatch.setattr(lab, "tls", tls)
    return lab


@pytest.fixture
def view(lab):
    view = CertificateView(lab, "shop.test", "blog.test", None)
    yield view
    view.close()


def test_its_text_says_what_was_served_for_each_name_and_until_when(view):
    assert repr(view) == (
        "shop.test  Secret shop-tls, 1st issue: ✔ verified\n"
        "blog.test  Secret blog-tls, 1st issue: ✖ expired\n"
        "no SNI     the ingress's default certificate: ✖ self-signed\n"
        "Secret shop-tls, 1st issue: valid for another 90 days\n"
        "Secret blog-tls, 1st issue: expired 1 day ago\n"
        "the ingress's default certificate: valid for more than half a year"
    )
    assert view.sentence == "1 of 3 handshakes verified"


def test_the_matrix_has_one_verdict_a_row_under_the_certificate_that_was_served(view):
    rows = re.findall(r"<tr><th scope='row'.*?</tr>", view.matrix)
    said = [[re.sub("<.*?>", "", cell) for cell in re.findall("<td.*?</td>", row)] for row in rows]
    assert said == [["✔ verified", "", ""], ["", "✖ expired", ""], ["", "", "✖ self-signed"]]


def test_the_time_line_has_every_certificate_once_beside_today(view):
    assert view.timeline.count("<rect") == 1 + 3
    assert "today" in view.timeline
    assert "−30 d" in view.timeline
    assert "+365 d" in view.timeline


def test_what_is_stored_is_the_same_on_every_run(lab):
    stored = []
    for _ in range(2):
        view = CertificateView(lab, "shop.test", "blog.test", None)
        bundle = view._repr_mimebundle_()[0]
        stored.append([bundle[form] for form in ("text/plain", "text/html", "image/svg+xml")])
        view.close()
    assert stored[0] == stored[1]
    assert not re.search(r"20\d\d-|192\.|[0-9a-f]{20}", "".join(stored[0]))


def test_no_handshake_is_a_column_of_its_own(lab):
    view = CertificateView(lab, "shop.test", "down.test")
    assert "down.test  no handshake: ✖ the connection was refused" in repr(view)
    assert "no handshake</th>" in view.matrix
    view.close()


def test_without_names_it_takes_the_hosts_of_the_ingresses_and_who_is_not_among_them(lab):
    rules = [{"host": "shop.test"}, {"host": "*.blog.test"}, {}]
    ingress = {"metadata": {"name": "shop", "namespace": "lesson"}, "spec": {"rules": rules}}
    lab.api.objects["/apis/networking.k8s.io/v1/namespaces/lesson/ingresses/shop"] = ingress
    view = CertificateView(lab, port=8443)
    assert lab.shaken == [
        ("shop.test", "", 8443), ("any.blog.test", "", 8443), ("nobody.test", "", 8443), ("shop.test", None, 8443),
    ]  # fmt: skip
    view.close()


def test_where_there_is_nothing_to_ask_for_it_says_so(lab):
    with pytest.raises(LabError, match="say names"):
        CertificateView(lab)
    with pytest.raises(LabError, match="at least one host"):
        CertificateView(lab, None)


def test_the_browser_shakes_again_and_tries_other_names(lab, view):
    view.asked += 1
    assert len(lab.shaken) == 6
    view.added = "nobody.test"
    assert [each.sni for each in view.handshakes] == ["shop.test", "blog.test", "nobody.test", None]
    assert "nobody.test" in view.matrix


def test_what_goes_wrong_in_the_browser_is_shown_there(lab, view, monkeypatch):
    def refuse(*_, **__):
        raise CannotRun("No client can run.")

    monkeypatch.setattr(lab, "tls", refuse)
    view.asked += 1
    assert (view.problem, view.reading) == ("No client can run.", False)
