"""NetworkPolicies: defaults, and rules that mean something."""

from __future__ import annotations

import pytest

POLICIES = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"


def policy(**spec) -> dict:
    return {"metadata": {"name": "np"}, "spec": {"podSelector": {}, **spec}}


@pytest.mark.parametrize(
    ("spec", "types"),
    [({}, ["Ingress"]), ({"ingress": [{}]}, ["Ingress"]), ({"egress": [{}]}, ["Ingress", "Egress"]),
     ({"egress": [{}], "policyTypes": ["Egress"]}, ["Egress"])],
)  # fmt: skip
async def test_its_directions_are_ingress_and_those_it_has_rules_for(api, spec, types) -> None:
    made = (await api.post(POLICIES, policy(**spec))).body
    assert made["spec"]["policyTypes"] == types
    assert made["metadata"]["generation"] == 1


async def test_a_port_is_of_tcp_unless_it_says_otherwise(api) -> None:
    made = (await api.post(POLICIES, policy(ingress=[{"ports": [{"port": 80}, {}]}]))).body
    assert made["spec"]["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}, {"protocol": "TCP"}]


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"ports": [{"port": 70000}]}, ("ports[0].port", "Invalid")),
        ({"ports": [{"port": 80, "endPort": 70}]}, ("ports[0].endPort", "Invalid")),
        ({"ports": [{"port": "http", "endPort": 90}]}, ("ports[0].endPort", "Invalid")),
        ({"ports": [{"endPort": 90}]}, ("ports[0].endPort", "Invalid")),
        ({"ports": [{"protocol": "ICMP"}]}, ("ports[0].protocol", "NotSupported")),
        ({"from": [{}]}, ("from[0]", "Required")),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}, ("from[0]", "Forbidden")),
        ({"from": [{"ipBlock": {}}]}, ("from[0].ipBlock.cidr", "Required")),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0"}}]}, ("from[0].ipBlock.cidr", "Invalid")),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]},
         ("from[0].ipBlock.except[0]", "Invalid")),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}]},
         ("from[0].ipBlock.except[0]", "Invalid")),
        ({"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "In"}]}}]},
         ("from[0].podSelector.matchExpressions[0].values", "Required")),
    ],
)  # fmt: skip
async def test_a_rule_that_no_packet_could_be_held_against_is_refused(api, why, rule, cause) -> None:
    field, reason = cause
    assert why(await api.post(POLICIES, policy(ingress=[rule]))) == [(f"spec.ingress[0].{field}", reason)]


async def test_a_direction_that_there_is_not_is_refused(api, why) -> None:
    answer = await api.post(POLICIES, policy(policyTypes=["Sideways"]))
    assert why(answer) == [("spec.policyTypes", "NotSupported")]


async def test_a_block_that_begins_in_its_middle_is_taken_with_a_warning(api) -> None:
    answer = await api.post(POLICIES, policy(egress=[{"to": [{"ipBlock": {"cidr": "10.1.2.3/8"}}]}]))
    assert answer.code == 201
    assert "spec.egress[0].to[0].ipBlock.cidr" in answer.headers["warning"]
