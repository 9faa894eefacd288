"""What the compiled rules do to a connection: who gets it, and whose address it comes from."""

from __future__ import annotations

import pytest

from kubelab.engine.proxy.jumps import missing_jumps
from kubelab.rules import Packet, Ruleset, walk

HERE, THERE = "10.244.1.7", "10.244.2.9"
POD, OUTSIDE = "10.244.1.20", "172.18.0.1"
CLUSTER_IP, VIP, EXTERNAL_IP, NODE_PORT = "10.96.0.41", "1.2.3.4", "192.168.9.9", 30001


@pytest.fixture
def node(make):
    """Rules of the node that has one of two endpoints, loaded; answers for connections to one Service."""

    def node(*, policy: str = "Cluster", endpoints=(HERE, THERE), config=None, **spec):
        service = make.service(
            "svc1", CLUSTER_IP, type="LoadBalancer", node_port=NODE_PORT, vips=(VIP,), externalIPs=[EXTERNAL_IP],
            externalTrafficPolicy=policy, **spec,
        )  # fmt: skip
        placed = [make.endpoint(ip, node=make.node if ip == HERE else "elsewhere") for ip in endpoints]
        compiled = make.compiled([service], [make.slice("svc1", *placed)], **(config or {}))
        rules = Ruleset()
        rules.restore(missing_jumps("") + compiled.text())

        def connect(source: str, destination: str, port: int = 80, draw: float = 0.0):
            local = source in (make.node_ip, "127.0.0.1")
            packet = Packet("tcp", source, 40000, destination, port, "" if local else "eth0")
            return walk(
                rules,
                packet,
                origin="local" if local else "forwarded",
                is_local=lambda ip: ip == make.node_ip,
                draw=lambda: draw,
            )

        return connect

    return node


def reached(connect, *where) -> set[str]:
    """The endpoints that a connection may reach."""
    verdicts = [connect(*where, draw=draw) for draw in (0.1, 0.9)]
    assert {verdict.kind for verdict in verdicts} == {"accept"}
    return {verdict.packet.dst for verdict in verdicts}


def ways_in(make) -> list[tuple[str, int]]:
    return [(VIP, 80), (EXTERNAL_IP, 80), (make.node_ip, NODE_PORT)]


@pytest.mark.parametrize(
    ("config", "masqueraded"),
    [
        ({}, {POD: False, "node": True, OUTSIDE: True}),
        ({"cluster_cidr": ""}, {POD: False, "node": False, OUTSIDE: False}),
        ({"masquerade_all": True}, {POD: True, "node": True, OUTSIDE: True}),
    ],
)
def test_at_the_cluster_ip_what_is_no_pod_is_masqueraded(node, make, config, masqueraded):
    connect = node(config=config)
    for source, expected in masqueraded.items():
        verdict = connect(make.node_ip if source == "node" else source, CLUSTER_IP)
        assert verdict.masquerade is expected, source


def test_a_pod_that_reaches_itself_is_masqueraded(node):
    assert node()(HERE, CLUSTER_IP, draw=0.1).masquerade
    assert not node()(HERE, CLUSTER_IP, draw=0.9).masquerade


def test_from_outside_under_policy_cluster_all_endpoints_are_reached_and_the_client_is_hidden(node, make):
    connect = node()
    for way in ways_in(make):
        for source in (POD, make.node_ip, OUTSIDE):
            assert reached(connect, source, *way) == {HERE, THERE}
            assert connect(source, *way).masquerade


def test_from_outside_under_policy_local_only_endpoints_here_are_reached_and_the_client_is_seen(node, make):
    connect = node(policy="Local")
    for way in ways_in(make):
        assert reached(connect, OUTSIDE, *way) == {HERE} and not connect(OUTSIDE, *way).masquerade
        assert reached(connect, POD, *way) == {HERE, THERE} and not connect(POD, *way).masquerade
        assert reached(connect, make.node_ip, *way) == {HERE, THERE} and connect(make.node_ip, *way).masquerade


def test_under_policy_local_without_an_endpoint_here_the_outside_is_dropped_and_pods_are_served(node, make):
    connect = node(policy="Local", endpoints=(THERE,))
    for way in ways_in(make):
        assert connect(OUTSIDE, *way).kind == "drop"
        assert reached(connect, POD, *way) == {THERE}
    assert reached(connect, OUTSIDE, CLUSTER_IP) == {THERE}


def test_without_endpoints_every_way_in_is_refused_at_once(node, make):
    connect = node(endpoints=())
    for source in (POD, OUTSIDE):
        for way in ((CLUSTER_IP, 80), *ways_in(make)):
            verdict = connect(source, *way)
            assert (verdict.kind, verdict.reason) == ("reject", "icmp-port-unreachable")
    assert connect(make.node_ip, CLUSTER_IP).kind == "reject"


def test_internal_policy_local_keeps_the_cluster_ip_on_this_node(node):
    assert reached(node(internalTrafficPolicy="Local"), POD, CLUSTER_IP) == {HERE}
    assert node(internalTrafficPolicy="Local", endpoints=(THERE,))(POD, CLUSTER_IP).kind == "drop"


def test_source_ranges_let_in_who_is_listed_at_the_load_balancers_address_only(node, make):
    connect = node(loadBalancerSourceRanges=["203.0.113.0/24"])
    assert reached(connect, "203.0.113.5", VIP) == {HERE, THERE}
    assert connect(OUTSIDE, VIP).kind == "drop"
    assert reached(connect, OUTSIDE, make.node_ip, NODE_PORT) == {HERE, THERE}


def test_node_ports_answer_on_localhost_to_the_node_itself(node):
    assert reached(node(), "127.0.0.1", "127.0.0.1", NODE_PORT) == {HERE, THERE}


def test_a_port_that_the_service_does_not_have_is_nobodys_business(node):
    verdict = node()(POD, CLUSTER_IP, 81)
    assert (verdict.kind, verdict.packet.dst) == ("accept", CLUSTER_IP)
