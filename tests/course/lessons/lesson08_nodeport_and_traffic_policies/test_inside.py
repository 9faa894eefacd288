"""Clients inside, and who may answer them; on a real cluster the lesson's notebook asks."""

import pytest

from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies import inside
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies.inside import Caller, Callers
from kubelab.lab.traffic import Answer, Traffic

HOMES = {"pair-1": "worker", "pair-2": "worker", "single-1": "worker2"}


def caller(node, *pods, error="timeout"):
    answers = [Answer(0, 0.01, 200, pod=pod) for pod in pods] or [Answer(0, 0.8, error=error)]
    return Caller(node, Traffic(tuple(answers)), HOMES)


def test_a_client_is_told_of_by_who_answers_it_and_how_near_they_are():
    seen = Callers((caller("control-plane"), caller("worker", "pair-2", "pair-1"), caller("worker2", *HOMES)))
    assert repr(seen).splitlines() == [
        "the client is on  is answered by            which are",
        "control-plane     nobody: timeout           –",
        "worker            pair-1, pair-2            near",
        "worker2           pair-1, pair-2, single-1  near and far",
    ]
    assert "<td style='text-align: left'>near and far</td>" in seen._repr_html_()
    assert caller("worker2", "pair-1").cells[2] == "far"
    assert seen["worker"].pods == ("pair-1", "pair-2")


@pytest.mark.parametrize(
    ("spec", "node", "answering"),
    [
        ({}, "worker", set(HOMES)),
        ({"internalTrafficPolicy": "Local"}, "worker", {"pair-1", "pair-2"}),
        ({"internalTrafficPolicy": "Local"}, "control-plane", set()),
        ({"trafficDistribution": "PreferSameNode"}, "worker2", {"single-1"}),
        ({"trafficDistribution": "PreferSameNode"}, "control-plane", set(HOMES)),
    ],
)
def test_who_may_answer_is_the_policys_affair(spec, node, answering):
    assert inside._expected(spec, HOMES, node) == answering
