"""The judges of lesson 11 on their own; on a real cluster they are tried in tests/lessons."""

from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage, three_faults, twelve
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.wanted import Found
from kubelab.grading import Outcome

RIGHT = Found("http://a.test/", "web", "web", "Prefix / for a.test")
ADDRESSED = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
SHOP = stage.ingress("shop", [stage.rule("a.test", [stage.path("Prefix", "/", "web")])])


def judged(found, manifest=SHOP, refusal="", live=ADDRESSED):
    return twelve.judge([found], [manifest], [refusal], [live])


def test_what_is_right_is_correct():
    assert judged(RIGHT)


def test_the_first_wrong_answer_is_told_with_the_rule_that_it_met():
    result = judged(RIGHT._replace(got="404", why="no rule is for host a.test"))
    assert result.outcome is Outcome.INCORRECT
    assert "✖ a.test/: 404, wanted is web" in repr(result)
    assert "met no rule is for host" not in result.advice
    assert "http://a.test/: no rule is for host a.test" in result.advice


def test_a_default_class_is_no_explicit_class():
    silent = stage.ingress("shop", SHOP["spec"]["rules"])
    del silent["spec"]["ingressClassName"]
    assert "not every Ingress says whose it is" in judged(RIGHT, silent).reason


def test_a_manifest_that_would_be_refused_today_and_one_without_address_are_not_enough():
    assert judged(RIGHT, refusal="spec.rules[0]: Invalid value").advice == "spec.rules[0]: Invalid value"
    assert "has no address" in judged(RIGHT, live={}).reason


def test_the_manifest_is_read_as_it_was_written():
    kept = '{"spec": {"rules": []}}'
    live = {"metadata": {"name": "shop", "annotations": {twelve.LAST_APPLIED: kept}}, "spec": SHOP["spec"]}
    assert twelve.written(live)["spec"] == {"rules": []}
    assert twelve.written({"metadata": {"name": "shop"}, "spec": SHOP["spec"]})["spec"] == SHOP["spec"]


def test_a_polite_fault_is_called_one():
    wrong = RIGHT._replace(got="front")
    assert "Nobody sees an error" in three_faults.judge([RIGHT, wrong]).advice
    assert "Nobody sees an error" not in three_faults.judge([RIGHT, wrong, RIGHT._replace(got="503")]).advice
    assert three_faults.judge([RIGHT])
