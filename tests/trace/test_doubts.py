"""What a tracer cannot judge it says, and goes on with both possibilities."""

from __future__ import annotations

import pytest

from kubelab.trace import CannotRead, CannotTrace, trace

KIND_MASQ = """*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER_OUTPUT - [0:0]
:KIND-MASQ-AGENT - [0:0]
-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
-A POSTROUTING -m addrtype ! --dst-type LOCAL -m comment --comment "kind-masq-agent" -j KIND-MASQ-AGENT
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:45119
-A KIND-MASQ-AGENT -d 10.244.0.0/16 -m comment --comment "kind-masq-agent: local traffic is not subject" -j RETURN
-A KIND-MASQ-AGENT -m comment --comment "kind-masq-agent: outbound traffic is subject to MASQUERADE" -j MASQUERADE
COMMIT
"""


def before(text: str, line: str, added: str) -> str:
    assert line in text
    return text.replace(line, f"{added}\n{line}", 1)


def test_an_unknown_match_leaves_both_possibilities(rules_on_worker):
    added = '-A FORWARD -m owner --uid-owner 0 -m comment --comment "by hand" -j DROP'
    cluster = rules_on_worker(lambda text: before(text, "-A FORWARD -m conntrack --ctstate NEW", added))
    found = trace(cluster, "web-a", "10.96.0.27", 80)
    assert [(outcome.kind, outcome.probability) for outcome in found] == [("dropped", 1.0), ("delivered", 1.0)]
    assert not found.certain
    assert found[0].assumptions == (
        f"kubelab-worker, filter FORWARD rule 1 ({added}): it matches: the match 'owner' is not part of this model",
    )
    assert "it does not match" in found[1].assumptions[0]


def test_a_match_that_cannot_matter_raises_no_doubt(rules_on_worker):
    added = "-A FORWARD -s 192.0.2.1/32 -m owner --uid-owner 0 -j DROP"
    cluster = rules_on_worker(lambda text: before(text, "-A FORWARD -m conntrack --ctstate NEW", added))
    assert trace(cluster, "web-a", "10.96.0.27", 80).certain


def test_probabilities_add_up_for_the_same_assumptions(rules_on_worker):
    added = "-A FORWARD -m set --match-set blocked src -j REJECT"
    cluster = rules_on_worker(lambda text: before(text, "-A FORWARD -m conntrack --ctstate NEW", added))
    found = trace(cluster, "single", "10.96.0.20", 80)
    for kind in ("rejected", "delivered"):
        assert sum(outcome.probability for outcome in found if outcome.kind == kind) == pytest.approx(1)
    assert "what the ipset of '--match-set blocked src' holds is not in the texts" in found[0].assumptions[0]


def test_a_rule_of_another_version_spoils_only_itself(rules_on_worker):
    added = "-A KUBE-SERVICES -d 10.96.0.27/32 -p tcp -m tcp --dport 80 --new-option 3 -j KUBE-NEW"
    cluster = rules_on_worker(lambda text: before(text, "-A KUBE-SERVICES -d 10.96.0.1/32", added))
    found = trace(cluster, "web-a", "10.96.0.27", 80)
    assert [outcome.kind for outcome in found] == ["unknown", "delivered"]
    assert 'it is not understood (unknown option "--new-option")' in found[0].reason
    assert trace(cluster, "web-a", "10.96.0.20", 80).certain


def test_a_jump_to_a_missing_chain_is_said(rules_on_worker):
    chain = "KUBE-SEP-D4WSRRZO35OWD6RG"
    cluster = rules_on_worker(
        lambda text: "\n".join(line for line in text.splitlines() if not line.startswith((f":{chain}", f"-A {chain}")))
    )
    found = trace(cluster, "web-a", "10.96.0.27", 80)
    assert [outcome.kind for outcome in found] == ["unknown", "left alone"]
    assert f"chain {chain} is missing from the table" in found[0].reason


def test_a_table_that_is_cut_off_is_walked_as_far_as_it_goes(rules_on_worker):
    cluster = rules_on_worker(lambda text: text[: text.rindex("-A KUBE-SVL-")])
    found = trace(cluster, "web-a", "10.96.0.27", 80)
    assert found.only().kind == "delivered"
    assert found.notes == ("kubelab-worker: table nat has no COMMIT: the text may be cut off.",)


def test_rules_of_kind_and_docker_are_walked_beside_ours(rules_on_worker):
    cluster = rules_on_worker(lambda text: text[: text.rindex("*nat")] + KIND_MASQ)
    pod = trace(cluster, "web-a", "default/client", 80).only()
    assert not pod.masqueraded and "KIND-MASQ-AGENT" in [hop.chain for hop in pod.hops]
    away = trace(cluster, "web-a", "203.0.113.5", 443).only()
    assert away.masqueraded and away.received.source == "172.18.0.3"
    assert trace(cluster, "worker", "127.0.0.11:53").only().received.destination_port == 45119


def test_a_client_port_that_a_rule_asks_for_is_not_guessed(rules_on_worker):
    added = "-A FORWARD -p tcp -m tcp --sport 1024:65535 -j DROP"
    cluster = rules_on_worker(lambda text: before(text, "-A FORWARD -m conntrack --ctstate NEW", added))
    assert len(trace(cluster, "web-a", "10.96.0.27", 80)) == 2
    assert trace(cluster, "web-a", "10.96.0.27", 80, source_port=40000).only().kind == "dropped"


def test_a_policy_decides_where_no_rule_does(rules_on_worker):
    forward, rest = ":FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n", ":KUBE-EXTERNAL-SERVICES"
    cluster = rules_on_worker(lambda text: text.replace(forward + rest, forward.replace("ACCEPT", "DROP", 1) + rest))
    found = trace(cluster, "outside", "172.18.0.3", 30081).only()
    assert found.kind == "dropped" and "policy of filter FORWARD on kubelab-worker" in found.reason
    assert trace(cluster, "outside", "172.18.0.3", 30080)[0].kind == "delivered"  # marked: KUBE-FORWARD accepts it


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("iptables", "command not found", "no line of `iptables-save`"),
        ("nft", "Error: no such table", "not the output of `nft list`"),
        ("nft", '{"nothing": 1}', "not the output of `nft -j list ruleset`"),
        ("routes", "RTNETLINK answers: failed", "no line of `ip route`"),
        ("routes", "[{", "not the output of `ip -j route`"),
        ("addresses", "whatever", "it names no interface"),
        ("conntrack", "tcp src=1.2.3.4", "no line of `conntrack -L`"),
        ("policy", "RTNETLINK answers: failed", "no line of `ip rule`"),
        ("ipvs", "Can't initialize ipvs", "not the output of `ipvsadm -Sn`"),
    ],
)
def test_a_text_that_is_something_else_is_refused(changed, kind, text, sentence):
    with pytest.raises(CannotRead, match=sentence):
        trace(changed("kubelab-worker", **{kind: text}), "web-a", "10.96.0.27", 80, source_port=4000)


def test_a_text_that_no_packet_comes_to_is_not_read(changed):
    cluster = changed("kubelab-worker", iptables="command not found")
    assert trace(cluster, "client", "default/web-c", 8080).only().kind == "delivered"


def test_rules_for_ipv4_do_not_count_for_ipv6(changed):
    routes = {"routes": "default via fd00::1 dev eth0", "addresses": "2: eth0: <UP>\n inet6 fd00::3/64 scope global"}
    drop = "*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d fd00:10::/64 -j DROP\nCOMMIT\n"
    found = trace(changed("kubelab-worker", **routes), "worker", "fd00:10::1", 80)
    assert found.only().kind == "left alone" and "give `ip6tables` too" in found.notes[0]
    found = trace(changed("kubelab-worker", **routes, ip6tables=drop), "worker", "fd00:10::1", 80)
    assert found.only().kind == "dropped" and not found.notes


def test_draws_that_do_not_suffice_are_asked_for(cluster):
    with pytest.raises(CannotTrace, match="draw more often than the 1 times"):
        trace(cluster, "client", "10.96.0.20", 80, draw=[0.9])


def test_an_unknown_text_is_refused(changed):
    with pytest.raises(CannotRead, match="'iptable' is no text"):
        changed("kubelab-worker", iptable="")
