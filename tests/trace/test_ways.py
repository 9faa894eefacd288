"""The way itself: places and hooks in order, connections, and the way back."""

from __future__ import annotations

from itertools import groupby

import pytest

from kubelab.trace import CannotTrace, read_flow, trace

CONNECTION = (
    "tcp      6 86399 ESTABLISHED src=10.244.2.3 dst=10.96.0.24 sport=51888 dport=80 "
    "src=10.244.1.3 dst=10.244.2.3 sport=8080 dport=51888 [ASSURED] mark=0 use=1"
)


def places(outcome) -> list[str]:
    return [place for place, _ in groupby(hop.place for hop in outcome.hops)]


def hooks(outcome, place: str) -> list[str]:
    return [hook for hook, _ in groupby(hop.hook for hop in outcome.hops if hop.place == place and hop.hook)]


def test_the_way_crosses_nodes(cluster):
    found = trace(cluster, "client", "10.96.0.20", 80, draw=0.0).only()
    assert places(found) == ["default/client", "kubelab-worker2", "kubelab-worker", "default/web-a"]
    assert hooks(found, "kubelab-worker") == ["PREROUTING", "FORWARD", "POSTROUTING"]
    arrive = next(hop for hop in found.hops if hop.place == "kubelab-worker")
    assert (arrive.kind, arrive.in_interface) == ("arrive", "eth0")


def test_a_node_that_reaches_itself_goes_by_lo_and_is_translated_once(cluster):
    found = trace(cluster, "control-plane", "10.96.0.1", 443).only()
    assert hooks(found, "kubelab-control-plane") == ["OUTPUT", "POSTROUTING", "INPUT"]
    assert not [hop for hop in found.rules if hop.table == "nat" and hop.hook in ("PREROUTING", "INPUT")]


def test_a_hop_says_rule_comment_and_change(cluster):
    found = trace(cluster, "outside", "172.18.0.3", 30080, draw=0.0).only()
    mark = next(hop for hop in found.hops if hop.chain == "KUBE-MARK-MASQ")
    assert mark.rule == "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000"
    assert (mark.before.mark, mark.after.mark) == (0, 0x4000)
    dnat = next(hop for hop in found.hops if hop.did.startswith("dnat"))
    assert (dnat.before.destination_text, dnat.after.destination_text) == ("172.18.0.3:30080", "10.244.1.2:8080")
    assert dnat.comment == "default/web-np"


def test_the_chance_of_a_branch_stands_at_its_hop(cluster):
    found = trace(cluster, "client", "10.96.0.20", 80)
    shares = [[hop.share for hop in outcome.hops if hop.share < 1] for outcome in found]
    assert shares[0] == pytest.approx([1 / 3], abs=1e-8)
    assert shares[1] == pytest.approx([2 / 3 * 1 / 2], abs=1e-8)


def test_the_answer_is_untranslated_on_the_clients_node(cluster):
    found = trace(cluster, "client", "10.96.0.20", 80, draw=0.0).only()
    back = found.reply().only()
    assert places(back) == ["default/web-a", "kubelab-worker", "kubelab-worker2", "default/client"]
    undone = [hop for hop in back.hops if hop.did.startswith("un-")]
    assert [(hop.place, hop.hook, hop.did) for hop in undone] == [
        ("kubelab-worker2", "POSTROUTING", "un-dnat 10.96.0.20:80")
    ]
    assert back.kind == "delivered" and "which is where it had sent to" in back.reason


def test_the_answer_to_a_masqueraded_client_comes_back_by_the_node_that_did_it(cluster):
    back = trace(cluster, "outside", "172.18.0.3", 30080, draw=0.9).only().reply().only()
    assert places(back) == ["default/web-c", "kubelab-worker2", "kubelab-worker", "outside"]
    assert [hop.did for hop in back.hops if hop.did.startswith("un-")] == [
        "un-snat 172.18.0.1:*",
        "un-dnat 172.18.0.3:30080",
    ]


@pytest.mark.parametrize(
    ("source", "to"),
    [("single", "10.96.0.27:80"), ("worker", "127.0.0.1:30080"), ("control-plane", "10.96.0.1:443"),
     ("outside", "172.18.0.3:30081"), ("client", "10.96.0.1:443")],
)  # fmt: skip
def test_every_delivered_packet_has_an_answer_that_its_client_understands(cluster, source, to):
    assert [outcome.reply().only().kind for outcome in trace(cluster, source, to)] == ["delivered"] * len(
        trace(cluster, source, to)
    )


def test_nobody_answers_what_was_dropped(cluster):
    with pytest.raises(CannotTrace, match="the packet was dropped"):
        trace(cluster, "outside", "172.18.0.4", 30081).only().reply()


def test_a_known_connection_is_not_asked_of_the_nat_table(changed):
    cluster = changed("kubelab-worker2", conntrack=CONNECTION)
    found = trace(cluster, "client", "10.96.0.24", 80, source_port=51888).only()
    assert found.place == "default/web-b"
    on_client = [hop for hop in found.hops if hop.place == "kubelab-worker2"]
    assert not [hop for hop in on_client if hop.table == "nat"]
    assert "filter KUBE-FORWARD 3" in [hop.where for hop in on_client]
    assert next(hop for hop in on_client if hop.kind == "conntrack").did.startswith("a packet of a known connection")


def test_the_entry_of_a_known_connection_stands_at_its_hop(changed):
    cluster = changed("kubelab-worker2", conntrack=CONNECTION)
    found = trace(cluster, "client", "10.96.0.24", 80, source_port=51888).only()
    entry = next(hop.rule for hop in found.hops if hop.kind == "conntrack")
    assert entry.startswith("tcp ESTABLISHED src=10.244.2.3 dst=10.96.0.24 sport=51888 dport=80 src=10.244.1.3")


def test_a_connection_may_be_given(cluster):
    found = trace(cluster, "client", "10.96.0.24", 80, connection=CONNECTION).only()
    assert (found.place, found.sent.source_port) == ("default/web-b", 51888)


def test_a_closed_connection_gives_way_to_a_new_one(changed):
    cluster = changed("kubelab-worker2", conntrack=CONNECTION.replace("ESTABLISHED", "TIME_WAIT"))
    assert len(trace(cluster, "client", "10.96.0.24", 80, source_port=51888)) == 3


def test_a_stale_udp_entry_still_leads_to_a_pod_that_is_gone(cluster):
    entry = (
        "udp 17 29 src=10.244.2.3 dst=10.96.0.21 sport=4000 dport=81 [UNREPLIED] "
        "src=10.244.1.99 dst=10.244.2.3 sport=8081 dport=4000"
    )
    found = trace(cluster, "client", "10.96.0.21", 81, "udp", connection=entry).only()
    assert (found.kind, found.endpoint) == ("left alone", "10.244.1.99:8081")


def test_every_node_on_the_way_enters_the_connection(cluster):
    found = trace(cluster, "client", "10.96.0.20", 80, draw=0.0).only()
    flows = found.flows
    assert [place for place, _ in flows] == ["kubelab-worker2", "kubelab-worker"]
    assert flows[0][1].first == ("tcp", "10.244.2.3", 0, "10.96.0.20", 80)
    assert flows[0][1].answer == ("tcp", "10.244.1.2", 8080, "10.244.2.3", 0)


def test_a_flow_is_read_as_conntrack_prints_it():
    flow = read_flow(CONNECTION)
    assert (flow.protocol, flow.state, flow.unanswered) == ("tcp", "ESTABLISHED", False)
    assert flow.destination_translated and not flow.source_translated
    assert read_flow(f"ipv4     2 {CONNECTION}") == flow


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nobody", "10.96.0.20", 80), "no pod or node 'nobody'"),
        (("client", "10.96.0.20", 0), "between 1 and 65535"),
        (("10.9.9.9", "10.96.0.20", 80), "Say it with `via`"),
        (("client", "somewhere", 80), "no pod or node 'somewhere'"),
    ],
)
def test_a_question_that_does_not_fit_is_refused_in_a_sentence(cluster, arguments, sentence):
    with pytest.raises(CannotTrace, match=sentence):
        trace(cluster, *arguments)
