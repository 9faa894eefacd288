"""`walk`: which way a packet goes, and what happens to it."""

from __future__ import annotations

import time

import pytest

from kubelab.rules import Memory, Packet, Ruleset, walk

NODE = "172.18.0.3"

SERVICE = """*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:SVC - [0:0]
:SEP1 - [0:0]
:SEP2 - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j SVC
-A SVC ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A SVC -m statistic --mode random --probability 0.5 -j SEP1
-A SVC -j SEP2
-A SEP1 -s 10.244.1.7/32 -j KUBE-MARK-MASQ
-A SEP1 -p tcp -m tcp -j DNAT --to-destination 10.244.1.7:8080
-A SEP2 -p tcp -m tcp -j DNAT --to-destination 10.244.2.9:8080
COMMIT
"""


def ruleset(*texts: str) -> Ruleset:
    made = Ruleset()
    for text in texts:
        made.restore(text)
    return made


def filter_rules(*rules: str) -> Ruleset:
    return ruleset("\n".join(["*filter", *rules, "COMMIT", ""]))


def tcp(source: str, destination: str, port: int = 80, interface: str = "veth1") -> Packet:
    return Packet("tcp", source, 40000, destination, port, interface)


def go(rules: Ruleset, packet: Packet, origin: str = "forwarded", **options):
    return walk(rules, packet, origin=origin, is_local=lambda ip: ip == NODE, **options)


def test_a_pod_reaches_an_endpoint_with_its_own_address():
    verdict = go(ruleset(SERVICE), tcp("10.244.0.5", "10.96.0.1"), draw=lambda: 0.9)
    assert (verdict.kind, verdict.packet.dst, verdict.packet.dport) == ("accept", "10.244.2.9", 8080)
    assert not verdict.masquerade and not verdict.local
    assert [(hop.chain, hop.number, hop.did) for hop in verdict.hops] == [
        ("PREROUTING", 1, "jump KUBE-SERVICES"),
        ("KUBE-SERVICES", 1, "jump SVC"),
        ("SVC", 3, "jump SEP2"),
        ("SEP2", 1, "dnat 10.244.2.9:8080"),
        ("POSTROUTING", 1, "jump KUBE-POSTROUTING"),
        ("KUBE-POSTROUTING", 1, "return"),
        ("POSTROUTING", 0, "accept"),
    ]


def test_a_process_on_the_node_is_masqueraded():
    verdict = go(ruleset(SERVICE), Packet("tcp", NODE, 1, "10.96.0.1", 80), "local", draw=lambda: 0.1)
    assert verdict.masquerade and verdict.packet.dst == "10.244.1.7"
    assert verdict.mark == 0, "the mark is taken off again"


def test_a_pod_that_reaches_itself_through_a_service_is_masqueraded():
    assert go(ruleset(SERVICE), tcp("10.244.1.7", "10.96.0.1"), draw=lambda: 0.1).masquerade


def test_each_endpoint_gets_its_share():
    rules, shares = ruleset(SERVICE), [0, 0]
    for number in range(100):
        chosen = go(rules, tcp("10.244.0.5", "10.96.0.1"), draw=lambda number=number: number / 100)
        shares[chosen.packet.dst == "10.244.2.9"] += 1
    assert shares == [50, 50]


def test_a_packet_for_the_node_passes_input_and_one_for_a_pod_passes_forward():
    rules = filter_rules("-A INPUT -j DROP", "-A FORWARD -j REJECT")
    assert go(rules, tcp("10.244.0.5", NODE)).kind == "drop"
    refused = go(rules, tcp("10.244.0.5", "10.244.2.9"))
    assert (refused.kind, refused.reason) == ("reject", "icmp-port-unreachable")


def test_a_process_that_talks_to_its_own_node_passes_output_and_then_input_by_lo():
    rules = filter_rules("-A INPUT -i lo -p tcp -m conntrack --ctstate NEW -m tcp --dport 80 -j REJECT")
    assert go(rules, Packet("tcp", NODE, 1, NODE, 80), "local").kind == "reject"
    assert go(rules, Packet("tcp", NODE, 1, "10.244.2.9", 80), "local").kind == "accept"


def test_a_translated_connection_has_the_state_dnat():
    rules = ruleset(SERVICE)
    rules.restore("*filter\n-A FORWARD -m conntrack ! --ctstate DNAT -j DROP\nCOMMIT\n")
    assert go(rules, tcp("10.244.0.5", "10.96.0.1")).kind == "accept"
    assert go(rules, tcp("10.244.0.5", "10.96.0.1", 81)).kind == "drop"


def test_the_policy_of_a_built_in_chain_ends_the_walk():
    assert go(filter_rules("-P FORWARD DROP"), tcp("10.244.0.5", "10.244.2.9")).kind == "drop"


def test_goto_does_not_come_back_and_return_does():
    rules = filter_rules(
        ":A - [0:0]", ":B - [0:0]", "-A FORWARD -j A", "-A FORWARD -j DROP", "-A A -g B", "-A A -j ACCEPT"
    )
    assert go(rules, tcp("1.1.1.1", "2.2.2.2")).kind == "drop"


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ("-s 10.244.0.0/16", True),
        ("! -s 10.244.0.5", False),
        ("-i veth+", True),
        ("! -i veth1", False),
        ("-p udp", False),
        ("-p tcp -m tcp --dport 70:90", True),
        ("-p tcp -m tcp ! --dport 80", False),
        ("-p tcp -m tcp --syn", True),
        ("-p tcp -m multiport --dports 22,80", True),
        ("-m mark --mark 0x10/0x10", True),
        ("-m mark --mark 0x10", False),
        ("-m addrtype --src-type LOCAL", False),
        ("-m addrtype ! --dst-type LOCAL", True),
        ("-m state --state NEW", True),
        ("-m conntrack --ctorigdst 10.244.2.0/24 --ctorigdstport 80", True),
    ],
)
def test_a_match_asks_what_it_says(rule, matches):
    packet = tcp("10.244.0.5", "10.244.2.9")._replace(mark=0x30)
    assert (go(filter_rules(f"-A FORWARD {rule} -j DROP"), packet).kind == "drop") is matches


def test_what_the_model_does_not_know_is_reported_and_not_guessed():
    rules = ruleset()
    rules.restore("*filter\n-A FORWARD -m owner --uid-owner 0 -j ACCEPT\nCOMMIT\n", strict=False)
    verdict = go(rules, tcp("1.1.1.1", "2.2.2.2"))
    assert verdict.kind == "unknown" and "'owner'" in verdict.reason and "FORWARD rule 1" in verdict.reason


def test_an_affine_client_stays_until_its_time_is_over():
    now = [0.0]
    memory = Memory(now=lambda: now[0])
    rules = filter_rules(
        "-A FORWARD -m recent --name A --rcheck --seconds 100 --reap -j DROP", "-A FORWARD -m recent --name A --set"
    )
    kinds = []
    for now[0] in (0.0, 100.0, 150.0, 160.0):
        kinds.append(go(rules, tcp("1.1.1.1", "2.2.2.2"), memory=memory).kind)
    assert kinds == ["accept", "drop", "accept", "drop"]


def test_a_list_remembers_a_hundred_clients():
    memory = Memory()
    for number in range(101):
        memory.remember("A", f"10.0.0.{number}")
    assert not memory.seen("A", "10.0.0.0", None) and memory.seen("A", "10.0.0.1", None)


def test_every_nth_packet_matches_in_turn():
    rules, memory = filter_rules("-A FORWARD -m statistic --mode nth --every 3 --packet 0 -j DROP"), Memory()
    kinds = [go(rules, tcp("1.1.1.1", "2.2.2.2"), memory=memory).kind for _ in range(6)]
    assert kinds == ["accept", "accept", "drop"] * 2


def test_fifty_services_are_walked_in_less_than_200_microseconds():
    lines = [":KUBE-SERVICES - [0:0]", "-A PREROUTING -j KUBE-SERVICES"]
    lines += [f"-A KUBE-SERVICES -d 10.96.1.{n}/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.{n}:80"
              for n in range(50)]  # fmt: skip
    rules, packet = ruleset("\n".join(["*nat", *lines, "COMMIT", ""])), tcp("10.244.0.5", "10.96.1.49")
    took = []
    for _ in range(50):
        started = time.perf_counter()
        assert go(rules, packet).packet.dst == "10.244.1.49"
        took.append(time.perf_counter() - started)
    assert min(took) < 200e-6
