"""Lesson 3's judges and its reading of rules, alone; on a real cluster they are tried in tests/lessons."""

import pytest

from kubelab.course.lessons.lesson03_the_packet_through_iptables import one_endpoint, trial, whole_service
from kubelab.course.lessons.lesson03_the_packet_through_iptables.answers import answer, forget, given
from kubelab.course.lessons.lesson03_the_packet_through_iptables.draws import Draws
from kubelab.course.lessons.lesson03_the_packet_through_iptables.nat_rules import parse, service_chains
from kubelab.course.lessons.lesson03_the_packet_through_iptables.trial import Trial
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab.errors import LabError

RULES = """
*filter
[0:0] -A KUBE-SERVICES -d 10.96.0.9/32 -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
*nat
:KUBE-SVC-A - [0:0]
[9:540] -A KUBE-SERVICES -d 10.96.0.7/32 -p tcp -m comment --comment "a/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
[0:0] -A KUBE-SERVICES -d 10.96.0.7/32 -p udp -m tcp --dport 80 -j KUBE-SVC-U
[0:0] -A KUBE-SERVICES -d 10.96.0.8/32 -p tcp -m comment --comment "a/b cluster IP" -m tcp --dport 80 -j KUBE-SVC-B
[1:60] -A KUBE-SVC-A ! -s 10.244.0.0/16 -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
[4:240] -A KUBE-SVC-A -m comment --comment "-> x" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-1
[5:300] -A KUBE-SVC-A -m comment --comment "-> y" -j KUBE-SEP-2
[1:60] -A KUBE-SEP-1 -s 10.244.1.1/32 -m comment --comment "a/web" -j KUBE-MARK-MASQ
[4:240] -A KUBE-SEP-1 -p tcp -m comment --comment "a/web" -m tcp -j DNAT --to-destination 10.244.1.1:8080
[5:300] -A KUBE-SEP-2 -p tcp -m comment --comment "a/web" -m tcp -j DNAT --to-destination 10.244.2.1:8080
[0:0] -A KUBE-SVC-B -m comment --comment "-> z" -j KUBE-SEP-3
[0:0] -A KUBE-SEP-3 -p tcp -m comment --comment "a/b" -m tcp -j DNAT --to-destination 10.244.2.2:8080
COMMIT
"""
FOUND = list(parse(RULES))
WEB, DECOY = (service_chains(FOUND, f"10.96.0.{last}", 80) for last in (7, 8))
ENDPOINTS = {"KUBE-SEP-1": "10.244.1.1:8080", "KUBE-SEP-2": "10.244.2.1:8080"}


def test_a_services_chains_are_read_with_targets_counters_and_draws():
    assert WEB.service_chain == "KUBE-SVC-A"
    assert WEB.endpoints == ENDPOINTS
    assert WEB.packets == {"KUBE-SEP-1": 4, "KUBE-SEP-2": 5}
    assert WEB.probabilities == {"KUBE-SEP-1": 0.5, "KUBE-SEP-2": 1}
    assert WEB.chain_to("10.244.2.1:8080") == "KUBE-SEP-2"


def test_an_address_that_no_rule_dispatches_has_no_chains():
    assert service_chains(FOUND, "10.96.0.9", 80).service_chain == ""
    assert service_chains(FOUND, "10.96.0.7", 81).endpoints == {}


def test_draws_of_a_third_a_half_and_the_rest_are_a_third_each():
    assert [row[3].split(" = ")[1] for row in Draws((0.33333333349, 0.5, 1.0)).rows] == ["1/3"] * 3


def seen(quiet=0):
    rose = {"KUBE-SEP-1": 25 - quiet, "KUBE-SEP-2": 35}
    answered = {"10.244.1.1:8080": 25, "10.244.2.1:8080": 35}
    return Trial("worker", WEB, DECOY, answered, {"worker": rose, "other": dict.fromkeys(rose, 0)})


def whole(node="worker", service_chain="KUBE-SVC-A", endpoints=None):
    return {"node": node, "service_chain": service_chain, "endpoints": ENDPOINTS if endpoints is None else endpoints}


def test_the_right_chains_whose_counters_rose_are_correct():
    assert whole_service.judge(seen(), whole())
    assert one_endpoint.judge(seen(), "KUBE-SEP-1", "10.244.1.1:8080")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (whole(service_chain="KUBE-SVC-B", endpoints=DECOY.endpoints), "belong to another Service"),
        (whole(endpoints=DECOY.endpoints), "belong to another Service"),
        (whole(endpoints={"KUBE-SEP-1": "10.244.1.1:8080"}), "One endpoint is missing"),
        (whole(service_chain="KUBE-SEP-1"), "is one endpoint's chain"),
        (whole(service_chain="KUBE-NODEPORTS"), "No rule for this Service"),
        (whole(endpoints={"KUBE-SVC-A": "10.244.1.1:8080"}), "translates nothing"),
        (whole(endpoints=dict(zip(ENDPOINTS, reversed(ENDPOINTS.values()), strict=True))), "leads elsewhere"),
        (whole(endpoints={**ENDPOINTS, "KUBE-SEP-X": "10.244.1.1:8080"}), "is no endpoint of this Service"),
        (whole(endpoints={}), "2 endpoints are missing"),
        (whole(node="other"), "On other no counter rose"),
    ],
)
def test_wrong_answers_for_a_whole_service_are_refused(found, said):
    result = whole_service.judge(seen(), found)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ("KUBE-SVC-A", "is the Service's own chain"),
        ("KUBE-SEP-2", "another pod's"),
        ("KUBE-SEP-3", "another Service"),
        ("KUBE-SEP-X", "No rule of this Service"),
    ],
)
def test_wrong_chains_for_one_endpoint_are_refused(chain, said):
    result = one_endpoint.judge(seen(), chain, "10.244.1.1:8080")
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_the_right_chain_is_not_enough_when_its_counter_did_not_follow():
    assert not one_endpoint.judge(seen(quiet=1), "KUBE-SEP-1", "10.244.1.1:8080")
    assert not whole_service.judge(seen(quiet=1), whole())


def test_an_answer_is_kept_until_the_task_is_started_anew():
    answer("3.1", chain="KUBE-SEP-1")
    assert given("3.1") == {"chain": "KUBE-SEP-1"}
    forget("3.1")
    assert given("3.1") is None


@pytest.mark.parametrize(
    "found", [{}, {"chain": 1}, {"chain": "x", "node": "y"}], ids=["nothing", "a number", "too much"]
)
def test_an_answer_of_another_shape_is_refused_with_what_is_expected(found):
    with pytest.raises(LabError, match="chain"):
        answer("3.1", **found)


def test_learners_have_services_clients_and_numbers_of_pods_of_their_own():
    drawn = [trial.setting(Seed(f"learner {number}"), "3.2") for number in range(40)]
    assert {own.client_at for own in drawn} == {0, 1}
    assert {own.pods for own in drawn} == {3, 4}
    assert len({own.service for own in drawn}) > 30
    assert not any(own.service == own.decoy for own in drawn)


def test_right_names_whose_counters_somebody_disturbed_are_not_called_wrong():
    assert whole_service.judge(seen(quiet=3), whole()).outcome is Outcome.CANNOT_CHECK
    assert one_endpoint.judge(seen(quiet=3), "KUBE-SEP-1", "10.244.1.1:8080").outcome is Outcome.CANNOT_CHECK
    assert whole_service.judge(seen(quiet=3), whole(node="other")).outcome is Outcome.INCORRECT
