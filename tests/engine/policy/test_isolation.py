"""Which connections NetworkPolicies allow."""

from __future__ import annotations

from typing import Any

import pytest

from kubelab.engine.policy.isolation import Allowed, Isolated, Ports, isolated, pods_of

NAMESPACES = {"a": {"team": "red"}, "b": {"team": "blue"}}


def pod(namespace: str, name: str, ip: str, *, port: int = 8080, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": port}]
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"nodeName": "n", "containers": [{"name": "c", "ports": ports}], **spec},
        "status": {"podIP": ip, "phase": "Running"},
    }


PODS = [pod("a", "web", "10.0.0.1"), pod("a", "db", "10.0.0.2", port=5432), pod("b", "web", "10.0.1.1")]


def policy(name: str = "p", namespace: str = "a", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": {"podSelector": {}, **spec}}


def judged(*policies: dict[str, Any]) -> dict[tuple[str, str], Isolated]:
    """(pod, direction) → what is allowed, in namespace a."""
    found = isolated(policies, pods_of(PODS), NAMESPACES)
    return {(one.pod.name, one.direction): one for one in found}


def test_without_a_policy_nobody_is_isolated() -> None:
    assert judged() == {}


def test_a_policy_without_rules_isolates_and_allows_nothing() -> None:
    found = judged(policy(policyTypes=["Ingress"]))
    assert set(found) == {("web", "Ingress"), ("db", "Ingress")}
    assert all(one.allowed == () for one in found.values())


def test_it_isolates_the_pods_that_it_selects_in_its_own_namespace() -> None:
    assert set(judged(policy(podSelector={"matchLabels": {"app": "web"}}))) == {("web", "Ingress")}
    assert judged(policy(namespace="b"))["web", "Ingress"].pod.ip == "10.0.1.1"


@pytest.mark.parametrize(
    ("spec", "directions"),
    [
        ({}, {"Ingress"}),
        ({"egress": [{}]}, {"Ingress", "Egress"}),
        ({"policyTypes": ["Egress"]}, {"Egress"}),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, {"Egress"}),
    ],
)
def test_directions_are_the_types_or_follow_from_the_rules(spec, directions) -> None:
    assert {direction for _, direction in judged(policy(**spec))} == directions


def test_an_empty_rule_allows_everything() -> None:
    assert judged(policy(ingress=[{}]))["web", "Ingress"].allowed == (Allowed(None, (), None),)


@pytest.mark.parametrize(
    ("peer", "addresses"),
    [
        ({"podSelector": {}}, ("10.0.0.1", "10.0.0.2")),
        ({"podSelector": {"matchLabels": {"app": "db"}}}, ("10.0.0.2",)),
        ({"namespaceSelector": {}}, ("10.0.0.1", "10.0.0.2", "10.0.1.1")),
        ({"namespaceSelector": {"matchLabels": {"team": "blue"}}}, ("10.0.1.1",)),
        (
            {
                "namespaceSelector": {},
                "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
            },
            ("10.0.0.1", "10.0.1.1"),
        ),
        ({"ipBlock": {"cidr": "10.0.0.0/8"}}, ("10.0.0.0/8",)),
    ],
)  # fmt: skip
def test_a_peer_is_these_addresses(peer, addresses) -> None:
    [allowed] = judged(policy(ingress=[{"from": [peer]}]))["web", "Ingress"].allowed
    assert allowed.addresses == addresses


def test_a_peer_that_selects_nobody_allows_nobody() -> None:
    nobody = {"podSelector": {"matchLabels": {"app": "gone"}}}
    assert judged(policy(ingress=[{"from": [nobody]}]))["web", "Ingress"].allowed == ()


def test_an_address_block_has_exceptions() -> None:
    block = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}
    [allowed] = judged(policy(egress=[{"to": [block]}]))["web", "Egress"].allowed
    assert (allowed.addresses, allowed.excepted) == (("0.0.0.0/0",), ("10.0.0.0/8",))


def test_policies_add_up() -> None:
    web, db = ({"from": [{"podSelector": {"matchLabels": {"app": app}}}]} for app in ("web", "db"))
    found = judged(policy("one", ingress=[web]), policy("two", ingress=[db]))["web", "Ingress"]
    assert found.policies == ("a/one", "a/two")
    assert [allowed.addresses for allowed in found.allowed] == [("10.0.0.1",), ("10.0.0.2",)]


@pytest.mark.parametrize(
    ("port", "ports"),
    [
        ({"port": 80}, Ports("tcp", 80, 80)),
        ({"port": 8000, "endPort": 8010}, Ports("tcp", 8000, 8010)),
        ({"protocol": "UDP"}, Ports("udp", 0, 65535)),
        ({"port": "http"}, Ports("tcp", 8080, 8080)),
    ],
)
def test_a_port_is_this(port, ports) -> None:
    found = judged(policy(podSelector={"matchLabels": {"app": "web"}}, ingress=[{"ports": [port]}]))
    assert found["web", "Ingress"].allowed == (Allowed(None, (), (ports,)),)


def test_the_name_of_a_port_means_what_each_target_calls_so() -> None:
    rule = {"to": [{"podSelector": {}}], "ports": [{"port": "http"}]}
    allowed = judged(policy(egress=[rule]))["web", "Egress"].allowed
    assert [(one.addresses, one.ports) for one in allowed] == [
        (("10.0.0.1",), (Ports("tcp", 8080, 8080),)),
        (("10.0.0.2",), (Ports("tcp", 5432, 5432),)),
    ]


def test_pods_of_the_nodes_network_and_finished_ones_are_nobody() -> None:
    host = pod("a", "host", "172.18.0.2", hostNetwork=True)
    done = pod("a", "done", "10.0.0.9")
    done["status"]["phase"] = "Succeeded"
    waiting = pod("a", "waiting", "")
    assert [one.name for one in pods_of([host, done, waiting, *PODS])] == ["db", "web", "web"]
