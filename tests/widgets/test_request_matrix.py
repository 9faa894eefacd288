"""RequestMatrix: what the browser is given, and what stands without it."""

from __future__ import annotations

import pytest

from kubelab.lab.errors import LabError
from kubelab.lab.requests import Reply, Requests
from kubelab.widgets import RequestMatrix

SAW = {"path": "/x", "host": "a.test", "method": "GET", "headers": {"x-forwarded-proto": "http", "accept": "*/*"}}


@pytest.fixture
def lab(lab_in_memory, monkeypatch):
    answers = {
        "http://a.test/": Reply("http://a.test/", code=404, body="404 nobody\n"),
        "http://a.test/x": Reply("http://a.test/x", code=200, pod="web-1", workload="web", services=("web",), saw=SAW),
        "https://a.test/": Reply("https://a.test/", error="not trusted", verified=False, why_not="self-signed"),
    }

    def requests(*urls, **asked):
        if "down" in answers:
            raise LabError("No request can enter.")
        return Requests(answers[url] for url in urls)

    lab_in_memory.answers = answers
    monkeypatch.setattr(lab_in_memory, "requests", requests)
    monkeypatch.setattr("kubelab.lab.requests.matrix.SETTLE_SECONDS", 0)
    return lab_in_memory


def matrix(lab, **more):
    return RequestMatrix(lab, urls=list(lab.answers), **more)


def test_each_cell_has_why_and_what_came_back(lab):
    nobody, web, untrusted = matrix(lab, predicted={"http://a.test/x": "web", "http://a.test/": "web"}).cells
    assert (nobody["sign"], nobody["words"], nobody["beside"]) == ("✖", "404", "predicted web")
    assert nobody["why"] == "no rule is for host a.test, and there is no default backend"
    assert nobody["answered"] == [["answer", "404"], ["it says", "404 nobody"]]
    assert (web["sign"], web["computed"]) == ("✔", "404")
    assert web["answered"] == [
        ["answer", "200"],
        ["from", "pod web-1, Service web"],
        ["it saw", "GET /x of host a.test"],
        ["x-forwarded-proto", "http"],
    ]
    assert untrusted["answered"] == [
        ["no answer", "not trusted: self-signed"],
        ["certificate", "not trusted: self-signed"],
    ]


def test_it_stands_without_a_browser(lab):
    made = matrix(lab, predicted={"http://a.test/": "404"})
    bundle, _ = made._repr_mimebundle_()
    assert bundle["text/plain"].startswith("3 requests: 1 of 1 as predicted")
    assert "✔" in bundle["text/html"]


def test_the_button_asks_again_and_says_what_goes_wrong(lab):
    made = matrix(lab)
    lab.answers["http://a.test/"] = Reply("http://a.test/", code=503)
    made.again += 1
    assert (made.cells[0]["words"], made.busy, made.problem) == ("503", False, "")
    lab.answers["down"] = None
    made.again += 1
    assert (made.cells[0]["words"], made.busy, made.problem) == ("503", False, "No request can enter.")


def test_nothing_to_ask_for_is_an_error(lab):
    with pytest.raises(LabError, match="give hosts and paths"):
        RequestMatrix(lab)
