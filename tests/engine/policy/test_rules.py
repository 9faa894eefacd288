"""NetworkPolicies as an nftables table, judged by walking packets through it."""

from __future__ import annotations

import pytest

from kubelab.engine.policy.isolation import isolated, pods_of
from kubelab.engine.policy.rules import TABLE, script
from kubelab.rules import Packet, walk
from kubelab.rules.nft.ruleset import NftRuleset
from kubelab.rules.ruleset import Ruleset
from tests.engine.policy.test_isolation import NAMESPACES, PODS, policy

OWN = {"from": [{"podSelector": {}}]}
NODE = "172.18.0.3"


def verdict(loaded: str, source: str, target: str, port: int = 8080, proto: str = "tcp") -> str:
    nft = NftRuleset()
    nft.run(loaded)
    packet = Packet(proto, source, 40000, target, port)
    return walk(Ruleset(), packet, origin="forwarded", is_local=NODE.__eq__, nft=nft).kind


def rules(*policies: dict) -> str:
    return script(isolated(policies, pods_of(PODS), NAMESPACES))


def test_without_isolated_pods_there_is_no_table() -> None:
    assert script(()).splitlines() == [f"table ip {TABLE}", f"delete table ip {TABLE}"]


@pytest.mark.parametrize(
    ("source", "target", "kind"),
    [
        ("10.0.0.2", "10.0.0.1", "accept"),
        ("10.0.1.1", "10.0.0.1", "drop"),
        ("172.18.0.1", "10.0.0.1", "drop"),
        ("10.0.0.1", "10.0.1.1", "accept"),
        ("10.0.1.1", "10.9.9.9", "accept"),
    ],
)
def test_only_the_own_namespace_comes_in(source, target, kind) -> None:
    assert verdict(rules(policy(ingress=[OWN])), source, target) == kind


def test_both_ends_have_a_say() -> None:
    nothing_out = policy("out", podSelector={"matchLabels": {"app": "db"}}, policyTypes=["Egress"])
    loaded = rules(policy("in", ingress=[OWN]), nothing_out)
    assert verdict(loaded, "10.0.0.2", "10.0.0.1") == "drop"
    assert verdict(loaded, "10.0.0.1", "10.0.0.2") == "accept"


def test_what_leaves_for_the_node_itself_is_judged_too() -> None:
    assert verdict(rules(policy(policyTypes=["Egress"])), "10.0.0.1", NODE, 6443) == "drop"
    allowed = policy(policyTypes=["Egress"], egress=[{"to": [{"ipBlock": {"cidr": f"{NODE}/32"}}]}])
    assert verdict(rules(allowed), "10.0.0.1", NODE, 6443) == "accept"


@pytest.mark.parametrize(
    ("proto", "port", "kind"),
    [("tcp", 79, "drop"), ("tcp", 80, "accept"), ("tcp", 8005, "accept"), ("udp", 80, "drop"), ("udp", 53, "accept")],
)
def test_ports_are_those_of_the_rule(proto, port, kind) -> None:
    ports = [{"port": 80}, {"port": 8000, "endPort": 8010}, {"port": 8005}, {"port": 53, "protocol": "UDP"}]
    assert verdict(rules(policy(ingress=[{"ports": ports}])), "10.0.1.1", "10.0.0.1", port, proto) == kind


@pytest.mark.parametrize(("target", "kind"), [("8.8.8.8", "accept"), ("10.0.1.1", "drop"), ("172.18.0.1", "drop")])
def test_an_address_block_reaches_all_but_its_exceptions(target, kind) -> None:
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "10.0.0.0/16", "172.16.0.0/12"]}}
    assert verdict(rules(policy(policyTypes=["Egress"], egress=[{"to": [block]}])), "10.0.0.1", target) == kind


def test_a_block_of_ipv6_allows_nobody_here() -> None:
    block = {"ipBlock": {"cidr": "2001:db8::/32"}}
    assert verdict(rules(policy(ingress=[{"from": [block]}])), "10.0.1.1", "10.0.0.1") == "drop"


def test_names_of_any_length_make_chains_that_nft_takes() -> None:
    long = [{**PODS[0], "metadata": {**PODS[0]["metadata"], "name": "w" * 200 + str(number)}} for number in range(2)]
    for number, each in enumerate(long):
        each["status"] = {"podIP": f"10.0.0.{number + 1}", "phase": "Running"}
    loaded = script(isolated([policy("p" * 200)], pods_of(long), NAMESPACES))
    chains = [line.split()[1] for line in loaded.splitlines() if line.strip().startswith("chain ingress")]
    assert len(set(chains)) == 2 and all(len(chain) < 128 for chain in chains)
