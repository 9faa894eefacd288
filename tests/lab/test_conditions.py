import pytest

from kubelab.lab import waiting
from kubelab.lab.conditions import conditions
from kubelab.lab.testing import fake_lab

GATEWAY = {
    "kind": "Gateway",
    "metadata": {"name": "edge", "generation": 2},
    "status": {
        "conditions": [
            {"type": "Programmed", "status": "True", "reason": "Programmed", "message": "", "observedGeneration": 1},
            {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "observedGeneration": 2},
        ],
        "listeners": [
            {
                "name": "https",
                "conditions": [
                    {
                        "type": "ResolvedRefs",
                        "status": "False",
                        "reason": "InvalidCertificateRef",
                        "message": "<no> Secret",
                    }
                ],
            }
        ],
    },
}


def route(*statuses):
    parents = [
        {"parentRef": {"name": name, "namespace": "infra"}, "conditions": [{"type": "Accepted", "status": status}]}
        for name, status in statuses
    ]
    return {"metadata": {"name": "shop"}, "status": {"parents": parents}}


def test_conditions_are_listed_by_part_and_type_without_times():
    assert repr(conditions("gateway/edge", GATEWAY)) == (
        "gateway edge: Accepted=True (Accepted)\n"
        "gateway edge: Programmed=True, of an older generation (Programmed)\n"
        "listener https: ResolvedRefs=False (InvalidCertificateRef: <no> Secret)"
    )


def test_the_table_is_html():
    shown = conditions("gateway/edge", GATEWAY)._repr_html_()
    assert "&lt;no&gt; Secret" in shown and shown.count("<tr>") == 4 and shown.count("gateway edge") == 1


def test_a_condition_holds_when_it_is_true_of_the_object_as_it_is():
    listed = conditions("gateway/edge", GATEWAY)
    assert listed.holds("accepted") and not listed.holds("Programmed") and not listed.holds("Unheard")
    assert not listed.holds("ResolvedRefs", of="listener https")


def test_an_object_without_conditions_says_so():
    assert repr(conditions("configmap/a", {"metadata": {}})) == "configmap/a: no conditions"
    assert "no conditions" in conditions("configmap/a", {"metadata": {}})._repr_html_()


@pytest.mark.parametrize(
    ("statuses", "holds"), [((("a", "True"), ("b", "True")), True), ((("a", "True"), ("b", "False")), False)]
)
def test_a_route_is_waited_for_at_all_its_parents(statuses, holds):
    assert waiting.condition(route(*statuses), "Accepted").holds is holds


def test_an_outdated_condition_is_waited_for_on():
    assert waiting.condition(GATEWAY, "Programmed").words == "Programmed=True, of an older generation (Programmed)"


def test_kinds_are_found_by_the_words_that_the_api_lists():
    lab = fake_lab()
    known = {
        "/apis": {"groups": [{"preferredVersion": {"groupVersion": "gateway.networking.k8s.io/v1"}}]},
        "/apis/gateway.networking.k8s.io/v1": {
            "resources": [
                {
                    "name": "gateways",
                    "singularName": "gateway",
                    "kind": "Gateway",
                    "namespaced": True,
                    "shortNames": ["gtw"],
                },
                {"name": "gateways/status", "kind": "Gateway", "namespaced": True},
            ]
        },
        "/apis/gateway.networking.k8s.io/v1/namespaces/lesson/gateways/edge": GATEWAY,
    }
    ask = lab.api.request
    lab.api.request = lambda method, path, *more, **named: known.get(path) or ask(method, path, *more, **named)
    for word in ("gtw", "gateway", "gateways", "Gateway"):
        assert lab.conditions(f"{word}/edge").about == "gateway/edge"
    with pytest.raises(Exception, match="did you mean 'gateway'"):
        lab.get("gatewy/edge")
