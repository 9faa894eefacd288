"""The judges of lesson 2 on their own; on a real cluster they are tried in tests/lessons."""

import pytest

from kubelab.course.lessons.lesson02_services_and_endpointslices import behaviour, repair, two_versions
from kubelab.course.lessons.lesson02_services_and_endpointslices.behaviour import Wiring, seen
from kubelab.grading import Outcome
from kubelab.lab.endpoints import Endpoint, Endpoints, Port, Slice
from kubelab.lab.traffic import Answer, Traffic

OWN = frozenset("abc")


def traffic(uids="abc" * 10, *failures):
    answers = [Answer(0, 0.01, 200, uid=uid) for uid in uids]
    return Traffic((*answers, *(Answer(0, 0.01, error=kind) for kind in failures)))


@pytest.mark.parametrize(
    ("traffic", "word"),
    [
        (traffic(), behaviour.ANSWERED),
        (traffic("abcx"), behaviour.STRANGERS),
        (traffic("abcx", "refused"), behaviour.STRANGERS),
        (traffic("abc", "refused"), behaviour.SOME_REFUSED),
        (traffic("", "refused"), behaviour.REFUSED),
        (traffic("", "timeout"), behaviour.TIMEOUT),
        (traffic("", "DNS"), behaviour.NO_NAME),
        (traffic("", "refused", "timeout"), "refused and timeout"),
    ],
)
def test_what_clients_see_is_one_word(traffic, word):
    assert seen(traffic, OWN) == word


def wiring(*slices, selector=None, target="http", listening=8080):
    """A Service ``web``; each slice is (port or None, addresses)."""
    spec = {"selector": {"app": "web"} if selector is None else selector, "ports": [{"targetPort": target}]}
    pieces = tuple(
        Slice((Port(port),) if port else (), tuple(Endpoint(ip, ip, True, True, False) for ip in addresses))
        for port, addresses in slices
    )
    found = {endpoint.address: listening for piece in pieces for endpoint in piece.endpoints}
    return Wiring({"metadata": {"name": "web"}, "spec": spec}, Endpoints("web", pieces), found)


@pytest.mark.parametrize(
    ("wiring", "found", "said"),
    [
        (wiring((8080, "a"), selector={}), behaviour.REFUSED, "written by hand"),
        (wiring((None, "")), behaviour.REFUSED, "finds no pod"),
        (wiring((None, "ab")), behaviour.REFUSED, "no pod behind it has one"),
        (wiring((8080, "ab")), behaviour.STRANGERS, "pods of another app too"),
        (wiring((8081, "ab"), target=8081), behaviour.REFUSED, "to port 8081, where no pod listens"),
        (wiring((8080, "ab")), behaviour.TIMEOUT, "its clients see: timeout"),
    ],
)
def test_the_link_that_is_broken_is_named(wiring, found, said):
    assert said in wiring.diagnosis(found)


def test_a_service_is_at_its_ports_when_every_ready_pod_listens_there():
    assert wiring((8080, "ab")).at_its_ports
    assert not wiring((8081, "ab")).at_its_ports
    assert not wiring((None, "ab")).at_its_ports
    assert wiring((8080, "ab"), (None, "x")).at_its_ports


def test_one_service_for_two_versions_is_correct():
    assert two_versions.judge(traffic(), OWN, wiring((8080, "abc")))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (traffic("abcx" * 9), "pods of another app too"),
        (traffic("ab" * 9), "only some of the pods"),
        (traffic("ab" * 9, "refused"), "its clients see: some refused"),
    ],
)
def test_a_service_for_fewer_or_for_others_is_refused(wrong, said):
    result = two_versions.judge(wrong, OWN, wiring((8080, "abc")))
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def found(service, word=behaviour.ANSWERED, at_its_port=True):
    return repair.Found(service, word, at_its_port, f"{service} is odd.", {"counts": {}})


FIVE = [found(name) for name in "abcde"]


def test_five_services_that_all_answer_are_correct():
    assert repair.judge(FIVE, replaced=True)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (found("e", behaviour.STRANGERS), "✖ e: some requests answered by pods of another app"),
        (found("e", behaviour.REFUSED), "✖ e: nobody answered"),
        (found("e", behaviour.SOME_REFUSED), "✖ e: some requests failed"),
        (found("e", at_its_port=False), "✖ e: every request answered"),
    ],
)
def test_one_that_does_not_is_enough_to_be_refused(wrong, line):
    result = repair.judge([*FIVE[:4], wrong], replaced=False)
    assert result.outcome is Outcome.INCORRECT
    assert "1 of 5 Services does not do what it should" in result.reason
    assert line in repr(result)
    assert result.advice.startswith("e is odd.")


def test_what_held_only_until_the_pods_were_replaced_says_so():
    assert "After every pod was replaced" in repair.judge([*FIVE[:4], found("e", "refused")], replaced=True).reason
