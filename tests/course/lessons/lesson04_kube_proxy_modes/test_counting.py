"""What the lesson counts and judges, without a cluster."""

import pytest

from kubelab.course.lessons.lesson04_kube_proxy_modes import slope, switched
from kubelab.course.lessons.lesson04_kube_proxy_modes.first_packet import NO_KERNEL, Cost, FirstPackets
from kubelab.course.lessons.lesson04_kube_proxy_modes.growth import Growth
from kubelab.grading import Outcome


@pytest.mark.parametrize("pods", [1, 3, 5])
def test_a_service_brings_two_rules_and_three_a_pod_in_iptables_one_in_nftables_and_none_in_ipvs(pods):
    growth = Growth(pods, sizes=(1, 11))
    assert [growth.rules_each(mode) for mode in ("iptables", "nftables", "ipvs")] == [2 + 3 * pods, 1, 0]


def test_only_the_list_of_iptables_is_walked_from_end_to_end():
    growth = Growth(3, sizes=(1, 11))
    asked = {mode: last.asked - first.asked for mode, (first, last) in growth.counts.items()}
    assert asked == {"iptables": 10, "nftables": 0, "ipvs": 0}
    assert growth.counts["iptables"][-1].entries == 0 < growth.counts["ipvs"][-1].entries
    assert [len(axes.lines) for axes in growth.plot().axes] == [3, 3]


def test_first_packets_say_in_words_which_mode_grows():
    grows, flat = [Cost(1, 9, 10), Cost(2000, 26, 27)], [Cost(1, 9, 10), Cost(2000, 9, 11)]
    packets = FirstPackets({"iptables": grows, "nftables": flat})
    assert packets.growing() == ["iptables"]
    assert repr(packets) == "FirstPackets(iptables: grows, nftables: flat)"
    assert len(packets.plot().axes[0].lines) == 4


def test_without_a_kernel_a_sentence_stands_for_the_picture():
    assert FirstPackets({}, [NO_KERNEL]).plot() == NO_KERNEL


def test_a_count_must_be_what_the_node_holds_for_every_service():
    def outcome(live, counted):
        return slope.judge(dict(zip("abc", live, strict=True)), 4, counted).outcome

    assert outcome([14, 14, 14], 14) is Outcome.CORRECT
    assert outcome([14, 14, 14], 13) is Outcome.INCORRECT
    assert outcome([14, 14, 0], 14) is Outcome.INCORRECT
    assert outcome([15, 15, 15], 15) is Outcome.INCORRECT


HELD = switched.Held("worker", "nftables", True, True, 0)


@pytest.mark.parametrize(
    ("node", "answers", "outcome", "said"),
    [
        (HELD, True, Outcome.CORRECT, "nothing of iptables mode is left"),
        (HELD, False, Outcome.INCORRECT, "does not answer every request"),
        (HELD._replace(chains=1), True, Outcome.INCORRECT, "iptables mode are there"),
        (HELD._replace(service=False), True, Outcome.INCORRECT, "lacks web"),
        (HELD._replace(mode="iptables"), True, Outcome.INCORRECT, "kube-proxy itself says iptables"),
        (HELD._replace(mode=""), True, Outcome.INCORRECT, "kube-proxy itself says nothing"),
    ],
)
def test_one_node_that_is_otherwise_is_enough_to_refuse(node, answers, outcome, said):
    result = switched.judge([HELD, node], answers, "web")
    assert (result.outcome, said in result.reason) == (outcome, True)


def test_the_start_is_not_attempted():
    node = switched.Held("worker", "iptables", False, False, 20)
    assert switched.judge([node, node], True, "web").outcome is Outcome.NOT_ATTEMPTED
