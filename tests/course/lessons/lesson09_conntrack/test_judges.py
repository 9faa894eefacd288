"""The judges of lesson 9 on their own; on a real cluster they are tried in tests/lessons."""

import pytest

from kubelab import check
from kubelab.clusters.base import Finished
from kubelab.course.lessons.lesson09_conntrack import memory, stuck
from kubelab.course.lessons.lesson09_conntrack.one_port import judge
from kubelab.course.lessons.lesson09_conntrack.stuck import Measured
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab.datagrams import Datagrams, datagram

FINE = (0.5, 1.0, 4.9)


def record(*answers, kinds=("fixed",)):
    """A record of one datagram each tenth of a second; ``""``: lost."""
    made = Datagrams("echo:53", kinds, lambda: None, str)
    for tenth, pod in enumerate(answers):
        line = {"client": "fixed", "at": tenth / 10, "seconds": 0, "error": "" if pod else "silence", "pod": pod}
        made._all.append(datagram({**line, "uid": pod, "peer_port": 4000 if pod else 0}, str))
    return made


def test_a_client_that_gets_another_pod_after_the_deletion_is_correct():
    assert judge(record("a", "a", "", "b", "b"), {"b", "c"})


@pytest.mark.parametrize(
    ("recorded", "alive", "said"),
    [
        (record("a", "a"), {"a", "b"}, "still there"),
        (record("a", "", ""), {"b"}, "ends before another pod"),
        (record("a", *[""] * 60, "b"), {"b"}, "too long"),
        (record("", ""), {"a"}, "Nobody answered"),
        (record(kinds=("fresh",)), {"a"}, "keeps its port"),
    ],
)
def test_a_record_that_shows_something_else_is_refused_with_its_reason(recorded, alive, said):
    result = judge(recorded, alive)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_clients_that_find_a_live_pod_three_times_and_spread_are_correct():
    assert stuck.judge(Measured(FINE, (55, 45), 0), by_hand=False, sticky=False)


@pytest.mark.parametrize(
    ("measured", "why", "said"),
    [
        (Measured((None,), (), 0), {"by_hand": True, "sticky": False}, "written by hand"),
        (Measured(FINE, (40, 40), 20), {"by_hand": True, "sticky": False}, "written by hand"),
        (Measured(FINE, (100, 0), 0), {"by_hand": False, "sticky": True}, "sessionAffinity"),
        (Measured(FINE, (80, 20), 0), {"by_hand": False, "sticky": False}, "not every pod"),
        (Measured((0.5, 5.5, 1.0), (50, 50), 0), {"by_hand": False, "sticky": False}, "Datagrams are lost"),
    ],
)
def test_what_is_not_good_enough_is_refused_with_its_cause(measured, why, said):
    result = stuck.judge(measured, **why)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_what_is_shown_is_the_same_on_every_run():
    good = [stuck.judge(Measured(FINE, counts, 0), False, False) for counts in ((55, 45), (50, 51))]
    assert repr(good[0]) == repr(good[1])


def test_both_faults_are_given_out():
    assert {stuck.fault(Seed(str(number))) for number in range(20)} == {stuck.SLICE, stuck.AFFINITY}


def test_without_the_start_state_the_repair_cannot_be_checked_and_the_record_is_not_there(lab):
    assert check("9.2").outcome is Outcome.CANNOT_CHECK
    assert check("9.1").outcome is Outcome.NOT_ATTEMPTED


def test_where_there_is_no_table_one_sentence_says_so(lab):
    for said in (memory.entry(lab, "web"), memory.flows(lab, "web", "udp"), memory.fullness(lab)):
        assert repr(said).startswith("Skipped: This cluster has no connection table")
    assert memory.compared("9.zero", memory.what_became(memory.NoTable())) == memory.NoTable()


def test_how_full_a_table_is_is_said_of_those_that_are_nearly_full(lab, monkeypatch):
    class Node:
        def __init__(self, name, count):
            self.name, self.count = name, count

        def run(self, argv):
            return Finished(0, f"{self.count}\n1000\n", "")

    monkeypatch.setattr(lab.cluster, "nodes", lambda: [Node("one", 10), Node("two", 20)])
    assert repr(memory.fullness(lab)) == "2 nodes, no table anywhere near its limit"
    monkeypatch.setattr(lab.cluster, "nodes", lambda: [Node("one", 10), Node("two", 900)])
    assert repr(memory.fullness(lab)) == "Nearly full: two"
