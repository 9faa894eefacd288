"""The judges of lesson 8 on their own; on a real cluster they are tried in tests/lessons."""

import pytest

from kubelab import check
from kubelab.course import lesson, start
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies import crowded_share, even_and_known, local_share
from kubelab.course.seed import Seed
from kubelab.grading import Outcome
from kubelab.lab.entries import CLIENT, Entries, Entry
from kubelab.lab.traffic import Answer, Traffic

A, B, C = "worker", "worker2", "control-plane"


def entry(node, counts, source=CLIENT, health=200, error="timeout"):
    answers = [Answer(0, 0.01, 200, pod=pod) for pod, count in counts.items() for _ in range(count)]
    answers = answers or [Answer(0, 0.8, error=error)]
    return Entry(node, Traffic(tuple(answers)), (source,) if counts else (), health)


SILENT = entry(C, {}, health=503)


def entries(*nodes, homes):
    return Entries("web", nodes, homes)


HOMES = {"a-1": A, "a-2": A, "b-1": B, "b-2": B}
EVEN = entries(SILENT, entry(A, {"a-1": 200, "a-2": 200}), entry(B, {"b-1": 210, "b-2": 190}), homes=HOMES)
UNEVEN_HOMES = {"a-1": A, "a-2": A, "b-1": B}
UNEVEN = entries(SILENT, entry(A, {"a-1": 200, "a-2": 200}), entry(B, {"b-1": 400}), homes=UNEVEN_HOMES)
ALL = dict.fromkeys(HOMES, 100)
MASKED = entries(*(entry(node, ALL, node, None) for node in (A, B, C)), homes=HOMES)
TWO_PODS = entries(SILENT, entry(A, {"a-1": 400}), entry(B, {"b-1": 400}), homes={"a-1": A, "b-1": B})
STICKY = entries(SILENT, entry(A, {"a-1": 400}), entry(B, {"b-1": 400}), homes=HOMES)
DEAF = entries(SILENT, entry(A, {}), entry(B, {"b-1": 400}), homes=HOMES)


def judge(seen, *, sticky=False):
    return even_and_known.judge(seen, sticky=sticky, replaced=True)


def test_known_clients_and_even_shares_are_correct():
    assert judge(EVEN)


@pytest.mark.parametrize(
    ("seen", "sticky", "said"),
    [
        (MASKED, False, "take a node for their client"),
        (UNEVEN, False, "shares are not even"),
        (TWO_PODS, False, "fewer than 3 pods"),
        (STICKY, True, "sessionAffinity: ClientIP"),
        (DEAF, False, "not answered"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_reason(seen, sticky, said):
    result = judge(seen, sticky=sticky)
    assert result.outcome is Outcome.INCORRECT
    assert said in result.reason


def test_a_node_that_says_it_is_healthy_without_a_pod_is_told():
    liar = entries(entry(C, {"a-1": 1}), *EVEN.nodes[1:], homes=HOMES)
    assert "✖ only nodes with a ready pod" in repr(judge(liar))


CROWD = {"crowd-1": A, "crowd-2": A, "single-1": B}
LOCAL = entries(
    entry(C, {}, health=None),
    entry(A, {"crowd-1": 33, "crowd-2": 27}, health=None),
    entry(B, {"single-1": 60}, health=None),
    homes=CROWD,
)


def test_a_crowded_pods_share_is_its_part_of_the_nodes_half():
    assert crowded_share(LOCAL) == 25
    assert LOCAL.percent("single-1") == 50
    assert local_share.judge(LOCAL, 25, 25)
    assert "the prediction is not" in local_share.judge(LOCAL, 33, 25).reason
    assert "take a node for their client" in local_share.judge(MASKED, 25, 25).reason
    assert {local_share.share(Seed(str(number))) for number in range(30)} == {25, 17, 10}


def test_what_is_shown_is_the_same_whatever_chance_did():
    other = entries(*EVEN.nodes[:2], entry(B, {"b-1": 190, "b-2": 210}), homes=HOMES)
    assert repr(EVEN) == repr(other)
    assert repr(judge(EVEN)) == repr(judge(other))
    assert "nobody: timeout" in repr(EVEN)
    assert "the client itself" in EVEN._repr_html_()


def test_the_picture_says_each_pods_part_of_all_answers_and_whom_the_servers_saw():
    words = [text.get_text() for text in UNEVEN.plot().axes[0].texts]
    assert words[-3:] == ["25 %", "25 %", "50 %"]
    assert CLIENT in words
    assert " ✖ nobody: timeout " in words


def test_without_a_prediction_or_a_start_nothing_is_held_against_the_learner(lab):
    lab.cluster.capabilities = lesson(8).needs
    assert check("8.1").outcome is Outcome.NOT_ATTEMPTED
    assert check("8.2").outcome is Outcome.CANNOT_CHECK


def test_a_cluster_of_one_node_is_told_apart_from_a_wrong_answer(lab):
    with pytest.raises(Exception, match="several nodes"):
        start("8.2")
