"""A real packet's hops from what the kernel said, and where a computed trace differs from them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kubelab.trace import Followed, read_flow, trace
from kubelab.trace.observing import flow_of, hops_of, runs_of, visits_of

CLIENT, SERVICE, POD = ("10.244.2.3", 40000), ("10.96.0.20", 80), ("10.244.2.2", 8080)
ENTRY = read_flow(
    "tcp 6 9 ESTABLISHED src=10.244.2.3 dst=10.96.0.20 sport=40000 dport=80 "
    "src=10.244.2.2 dst=10.244.2.3 sport=8080 dport=40000 [ASSURED] mark=0 use=1"
)


def said(table, chain, handle, number, verdict, to="", mark=0, **header):
    """One event as the listener on a node tells it; with a header at the start of a base chain."""
    found = {"id": "1", "family": "ip", "table": table, "chain": chain, "handle": handle, "number": number}
    found |= {"policy": not handle and verdict in ("accept", "drop"), "verdict": verdict, "to": to, "mark": mark}
    return {**found, **shown(**header)} if header else found


def shown(source, destination, ttl, came_by="", leaves_by=""):
    ends = {"source": source[0], "source_port": source[1], "destination": destination[0]}
    packet = {**ends, "destination_port": destination[1], "ttl": ttl, "protocol": 6}
    return {"packet": packet, "in": came_by, "out": leaves_by}


SYN = [
    said("nat", "PREROUTING", 7, 1, "jump", "KUBE-SERVICES", source=CLIENT, destination=SERVICE, ttl=64, came_by="v1"),
    said("nat", "KUBE-SERVICES", 9, 2, "jump", "KUBE-SVC-X"),
    said("nat", "KUBE-SVC-X", 12, 3, "jump", "KUBE-SEP-X"),
    said("nat", "KUBE-SEP-X", 15, 2, "accept"),
    said("filter", "FORWARD", 20, 2, "jump", "KUBE-FORWARD", source=CLIENT, destination=POD, ttl=63, came_by="v1",
         leaves_by="v2"),
    said("filter", "FORWARD", 0, 0, "accept"),
]  # fmt: skip


@pytest.fixture
def place(cluster):
    return cluster.places["kubelab-worker2"]


def test_a_rule_that_translates_is_told_from_what_comes_after_it(place):
    hops = list(hops_of(place, runs_of(SYN), ENTRY, None))
    assert [hop.where for hop in hops][3:] == ["nat KUBE-SEP-X 2", "filter FORWARD 2", "filter FORWARD policy"]
    assert [hop.did for hop in hops][2:4] == ["jump KUBE-SEP-X", "dnat 10.244.2.2:8080"]
    assert hops[3].after.destination_text == "10.244.2.2:8080" and hops[4].hook == "FORWARD"
    assert hops[0].rule == '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'


def test_a_mark_is_told_where_it_is_made(place):
    marked = [SYN[0], said("nat", "KUBE-MARK-MASQ", 5, 1, "continue", mark=0x4000), SYN[4] | {"mark": 0x4000}]
    hops = list(hops_of(place, runs_of(marked), None, None))
    assert next(hop.did for hop in hops if hop.chain == "KUBE-MARK-MASQ").startswith("mark 0x4000")
    assert hops[-1].before.mark == 0x4000


def test_an_answer_is_translated_back_between_the_rules(place):
    answer = [
        said("filter", "FORWARD", 20, 2, "jump", "KUBE-FORWARD", source=POD, destination=CLIENT, ttl=63, came_by="v2",
             leaves_by="v1"),
        said("filter", "KUBE-FORWARD", 21, 3, "accept"),
    ]  # fmt: skip
    runs = runs_of(answer)
    flow = flow_of([ENTRY], runs[0].header)
    hops = list(hops_of(place, runs, flow, None))
    assert [(hop.kind, hop.did) for hop in hops][1:] == [("rule", "accept"), ("conntrack", "un-dnat 10.96.0.20:80")]


def test_a_packet_that_comes_again_is_another_visit():
    again = [{**event, "id": "2"} for event in SYN]
    again[0] |= shown(CLIENT, POD, 62, "eth0")
    again[4] |= shown(CLIENT, POD, 61, "eth0", "v2")
    assert [len(visit) for visit in visits_of([*runs_of(SYN), *runs_of(again)])] == [2, 2]


def test_a_rule_that_is_gone_meanwhile_has_no_text(place):
    gone = [SYN[0] | {"number": 0}]
    assert next(iter(hops_of(place, runs_of(gone), None, None))).rule == ""


@pytest.fixture
def outcome(cluster):
    return trace(cluster, "outside", "172.18.0.3", 30080, draw=0.9).only()


def as_seen(outcome, **changes) -> Followed:
    """As if the kernel had done what was computed."""
    return Followed(
        **{"source": "outside", "sent": outcome.sent, "end": "connected", "hops": outcome.rules,
           "server": outcome.place, "peer": outcome.received.source} | changes
    )  # fmt: skip


def test_what_was_computed_agrees_with_itself(outcome):
    assert as_seen(outcome).agrees_with(outcome)


def test_a_rule_more_or_less_is_a_difference(outcome):
    less = as_seen(outcome, hops=outcome.rules[:3] + outcome.rules[4:])
    (said,) = less.differences(outcome)
    assert said.startswith(f"Computed, but not seen: {outcome.rules[3].where} on kubelab-worker")
    more = as_seen(outcome, hops=(*outcome.rules, replace(outcome.rules[0], place="kubelab-control-plane")))
    (said,) = more.differences(outcome)
    assert said.startswith("Seen, but not computed: nat PREROUTING 1 on kubelab-control-plane")


def test_another_address_or_mark_after_a_rule_is_a_difference(outcome):
    at = next(number for number, hop in enumerate(outcome.rules) if hop.did.startswith("dnat"))
    rules = list(outcome.rules)
    rules[at] = replace(rules[at], after=rules[at].after._replace(destination="10.244.1.9"))
    (said,) = as_seen(outcome, hops=tuple(rules)).differences(outcome)
    assert said.endswith("computed was destination 10.244.2.2, the packet had 10.244.1.9.")
    rules[at] = replace(outcome.rules[at], after=outcome.rules[at].after._replace(mark=1))
    assert "computed was mark 16384, the packet had 1" in as_seen(outcome, hops=tuple(rules)).differences(outcome)[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"end": "silent"}, "Computed was that it is delivered; the client was silent."),
        ({"server": "default/web-a"}, "Computed was default/web-c as its end; default/web-a answered."),
        ({"peer": "172.18.0.1"}, "Computed was 172.18.0.3 as the client; the server saw 172.18.0.1."),
    ],
)
def test_another_end_is_a_difference(outcome, changes, sentence):
    assert as_seen(outcome, **changes).differences(outcome) == (sentence,)


def test_of_several_outcomes_the_nearest_is_held_against_it(cluster):
    found = trace(cluster, "client", "10.96.0.20", 80)
    for outcome in found:
        followed = as_seen(outcome, computed=found)
        assert followed.closest() is outcome and followed.agrees_with()
        assert "agrees, rule by rule" in repr(followed)


def test_a_dropped_packet_is_met_with_silence(cluster):
    outcome = trace(cluster, "outside", "172.18.0.4", 30081).only()
    dropped = as_seen(outcome, end="silent", server="", peer="")
    assert dropped.agrees_with(outcome) and "the last word on it was “drop”" in dropped.reason
    assert as_seen(outcome, server="", peer="").differences(outcome)
