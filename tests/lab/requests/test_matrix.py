"""A grid of requests: prediction, objects, answers."""

from __future__ import annotations

import re

import pytest

from kubelab.lab.errors import LabError
from kubelab.lab.requests import Cell, Reply, grid, listed, measure, predictions
from kubelab.lab.requests import matrix as module
from kubelab.lab.requests.matrix import came_true
from kubelab.lab.requests.matrix_forms import html, reasons, text
from kubelab.lab.testing import FakeLab
from kubelab.routing.decide import Decision, Share
from kubelab.routing.model import ServicePort
from kubelab.routing.request import Request

THEIRS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: theirs}
spec:
  ingressClassName: kubelab
  rules:
  - host: elsewhere.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  - host: shop.test
    http: {paths: [{path: /api/old, pathType: Exact, backend: {service: {name: api, port: {number: 80}}}}]}
"""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(module, "_POLL_SECONDS", 0)


def measured(lab, cells, **predicted):
    return measure(lab, cells, predictions(cells, predicted.get("predicted", {})))


def test_it_shows_what_came_beside_what_was_predicted(shop):
    cells = grid(["shop.test", "other.test"], ["/", "/api"], ["http"])
    made = measured(shop, cells, predicted={"shop.test/": "web", "/api": "api", "http://other.test/": 404})
    assert text(made) == (
        "4 requests: 3 of 4 as predicted\n"
        "      shop.test  other.test\n"
        "/     ✔ web      ✔ 404\n"
        "/api  ✔ api      ✖ 404 (predicted api)"
    )


def test_labelled_urls_are_rows_and_without_predictions_nothing_is_judged(shop):
    made = measured(shop, listed({"row 1": "shop.test/x", "row 2": "http://shop.test/api"}))
    assert text(made) == "2 requests: nothing predicted\nrow 1  web\nrow 2  api"


def test_several_schemes_are_columns_of_their_own(shop):
    shop.said["https://shop.test/"] = "web"
    made = measured(shop, grid(["shop.test"], ["/"], ["http", "https"]))
    assert made.columns == ("http://shop.test", "https://shop.test")


def test_a_prediction_for_no_request_is_an_error(shop):
    with pytest.raises(LabError, match="'/apl' is predicted"):
        predictions(grid(["shop.test"], ["/api"], ["http"]), {"/apl": "api"})


def test_only_what_is_not_answered_as_the_objects_ask_for_is_asked_again(shop):
    shop.said["http://shop.test/api"] = ["404", "web", "api"]
    made = measured(shop, grid(["shop.test"], ["/", "/api"], ["http"]))
    assert shop.asked == [["http://shop.test/", "http://shop.test/api"], *[["http://shop.test/api"]] * 2]
    assert all(cell.as_asked for cell in made.cells.values())


def test_what_stays_otherwise_is_shown_and_said(shop, monkeypatch):
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0)
    shop.said["http://shop.test/api"] = "web"
    made = measured(shop, grid(["shop.test"], ["/api"], ["http"]), predicted={"/api": "web"})
    assert made.sentence == "1 request: 1 of 1 as predicted; 1 not answered as the objects ask for"
    assert "The objects ask for api." in html(made)


def test_each_cell_says_why(shop):
    made = measured(shop, grid(["shop.test"], ["/api", "/x"], ["http"]))
    first, second = made.cells.values()
    assert reasons(first) == (
        "Exact /api for shop.test, longer than Prefix /",
        ["Prefix / for shop.test: matches too, but Exact /api is longer"],
    )
    assert reasons(second) == ("Prefix / for shop.test, the only rule that matches", ["Exact /api is not /x"])


def test_where_weights_decide_it_does_not_matter_who_it_was(shop):
    shares = (Share(ServicePort("lesson", "web", 80), 0.9), Share(ServicePort("lesson", "api", 80), 0.1))
    decision = Decision(Request.of("http://a.test/"), shares, "")
    for service, predicted, right in (("web", "web or api", True), ("api", "api or web", True), ("web", "web", False)):
        reply = Reply("http://a.test/", code=200, pod=f"{service}-1", services=(service,))
        cell = Cell("http://a.test/", predicted, decision, reply, "lesson")
        assert (cell.came, cell.right) == ("api or web", right)


def test_a_port_that_nobody_listens_at_is_no_error(shop):
    shop.said["http://shop.test:8080/"] = "refused"
    made = measured(shop, listed(["http://shop.test:8080/"]))
    (cell,) = made.cells.values()
    assert (cell.as_asked, reasons(cell)[0]) == (True, "no entrance of the ingress has this port")


def test_its_html_stands_alone_and_holds_no_markup_of_others(shop, monkeypatch):
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0)
    made = measured(shop, grid(["shop.test"], ["/<b>"], ["http"]), predicted={"/<b>": "<i>"})
    assert "<script" not in html(made) and not re.search("<[bi]>/|/<b>|<i>", html(made))


@pytest.mark.parametrize(
    ("predicted", "code", "pod", "right"),
    [
        ("web", 200, True, True), ("WEB ", 200, True, True), ("web-v1", 200, True, True), ("api", 200, True, False),
        ("200", 200, True, True), ("404", 404, False, True), ("404", 404, True, False), ("503", 404, False, False),
        ("web", 500, True, False),
    ],
)  # fmt: skip
def test_a_prediction_is_a_service_a_deployment_or_a_code(predicted, code, pod, right):
    who = {"pod": "web-v1-1", "workload": "web-v1", "services": ("web",)} if pod else {}
    assert came_true(predicted, Reply("http://a.test/", code=code, **who)) is right


def test_of_another_namespaces_rules_only_those_for_the_same_host_are_told(shop):
    FakeLab(shop.cluster, shop.api, "next-door").apply(THEIRS)
    told = {other.route.match.path.value: other.host for other in shop.decide("shop.test/x").others}
    assert told == {"/api": "shop.test", "/api/old": "shop.test"}
