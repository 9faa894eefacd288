"""The judges of lesson 6 on their own; on a real cluster they are tried in tests/lessons."""

import pytest

from kubelab import check
from kubelab.course.lessons.lesson06_dns import lost, peers, rows
from kubelab.course.lessons.lesson06_dns.peers import Measured
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab.errors import LabError
from kubelab.lab.lookup import Lookup, Record, Tried

VIP, POD, OTHER = "192.0.2.1", "192.0.2.11", "192.0.2.12"
ALL = {"ash": True, "beech": True, "cedar": True}
FINE = Measured(True, True, ALL, True)


def found(*data, type="A", record_type="", code="NOERROR"):
    records = tuple(Record("web", record_type or type, 30, each) for each in data)
    return Lookup("web", type, (Tried("web", code),), records)


@pytest.mark.parametrize(
    ("lookup", "seen"),
    [
        (found(VIP), rows.SERVICES_ADDRESS),
        (found(POD), rows.ONE_POD),
        (found(POD, OTHER), rows.PODS_ADDRESSES),
        (found("192.0.2.99"), rows.IN_THE_NAME),
        (found("web.ns.svc.cluster.local", record_type="CNAME"), rows.ALIAS),
        (found("0 100 80 web.ns.svc.cluster.local", type="SRV"), rows.PORT),
        (found("0 50 80 alpha.web.ns.svc.cluster.local", type="SRV"), rows.PORTS),
        (found("web.ns.svc.cluster.local", type="PTR"), rows.NAME),
        (found(), rows.NO_RECORD),
        (found(code="NXDOMAIN"), rows.NO_NAME),
        (found(code="SERVFAIL"), "SERVFAIL"),
    ],
)
def test_every_shape_of_an_answer_has_its_words(lookup, seen):
    assert rows.seen(lookup, frozenset({VIP}), frozenset({POD, OTHER})) == seen


def test_an_address_is_turned_round_and_headless_services_have_none():
    assert rows.reverse("192.0.2.1") == "1.2.0.192.in-addr.arpa."
    services = [
        {"metadata": {"name": "web"}, "spec": {"clusterIP": VIP}},
        {"metadata": {"name": "crowd"}, "spec": {"clusterIP": "None"}},
        {"metadata": {"name": "alias"}, "spec": {"type": "ExternalName"}},
    ]
    assert rows.cluster_ips(services) == {"web": VIP}


def test_a_guess_for_a_row_that_is_none_is_refused():
    from kubelab.course.lessons.lesson06_dns import guess

    with pytest.raises(LabError, match="is no row"):
        guess({"vip": rows.NAME})


def test_three_answers_before_and_after_the_server_is_replaced_are_correct():
    assert lost.judge({"a": True, "b": True, "c": True}, replaced=True)


@pytest.mark.parametrize(
    ("good", "said"),
    [
        ((False, False, False), "Not even the Service's name"),
        ((True, False, False), "two fields of a pod"),
        ((True, True, False), "SRV question"),
    ],
)
def test_what_is_missing_says_where_to_look(good, said):
    result = lost.judge(dict(zip("abc", good, strict=True)), replaced=False)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.advice


def test_peers_that_are_found_while_they_are_not_ready_are_correct():
    assert peers.judge(FINE)


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (FINE._replace(not_ready=False), "did not say that they are not ready"),
        (Measured(False, True, dict.fromkeys(ALL, False), False), "wait for each other for ever"),
        (Measured(False, True, {**ALL, "ash": False}, False), "Not every peer"),
        (FINE._replace(targets=False), "SRV question"),
        (FINE._replace(found_each_other=False), "did not become ready"),
    ],
)
def test_peers_that_lack_something_are_refused_with_its_reason(measured, said):
    result = peers.judge(measured)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_every_fault_is_given_out_and_every_learner_has_three_different_peers():
    seeds = [Seed(str(number)) for number in range(30)]
    assert {lost.fault(seed) for seed in seeds} == set(lost.FAULTS)
    assert all(len(set(peers.facts(seed)["peers"])) == 3 for seed in seeds)


def test_without_the_start_state_nothing_can_be_checked(lab):
    assert check("6.1").outcome is Outcome.CANNOT_CHECK
    assert check("6.2").outcome is Outcome.CANNOT_CHECK
