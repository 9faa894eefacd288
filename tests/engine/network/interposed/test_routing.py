"""Ways between places, by routes and rules, without a socket."""

from __future__ import annotations

import errno

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.network.agent.interposed.addresses import AddressPlan
from kubelab.engine.network.agent.interposed.routing import Map
from kubelab.engine.network.contract import OUTSIDE, node, pod

CONTROL_PLANE, WORKER, WORKER2 = nodes()

RULES = """\
*nat
-A PREROUTING -d 172.18.0.0/16 -j MARK --set-xmark 0x1/0xffffffff
-A OUTPUT -d 10.96.0.0/16 -j MARK --set-xmark 0x1/0xffffffff
-A PREROUTING -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.2:8080
-A OUTPUT -d 10.96.0.80/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.2.2:8080
-A OUTPUT -d 203.0.113.7/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.2:8080
-A PREROUTING -m addrtype --dst-type LOCAL -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.244.2.2:8080
-A POSTROUTING -m mark --mark 0x1 -j MASQUERADE
COMMIT
*filter
-A FORWARD -d 10.244.2.3/32 -p tcp -j DROP
-A FORWARD -d 10.244.2.4/32 -p tcp -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""


@pytest.fixture
def places():
    plan = AddressPlan()
    standing = set()
    made = Map(plan, lambda *at: at in standing)
    made.plan, made.standing = plan, standing
    for spec in nodes():
        made.add_node(spec)
        made.hosts[spec.name].rules.restore(RULES)
    for uid, spec, last in (("a", WORKER, 2), ("b", WORKER2, 2), ("c", WORKER2, 3), ("d", WORKER2, 4)):
        made.add_pod(uid, spec.name, spec.pod_cidr.replace(".0/24", f".{last}"))
    yield made
    plan.release()


def go(places, place, ip, port=80):
    return places.way(places.sites[place], "tcp", ip, port)


def test_a_service_leads_to_its_endpoint_and_the_pod_is_the_source(places):
    way = go(places, pod("a"), "10.96.0.80")
    assert (way.kind, way.ip, way.port) == ("deliver", places.plan.outer("10.244.2.2"), 8080)
    assert way.source == "10.244.1.2"


def test_a_node_is_masqueraded_with_the_address_towards_the_endpoint(places):
    assert go(places, node(CONTROL_PLANE.name), "10.96.0.80").source == "172.18.0.2"
    assert go(places, node(WORKER2.name), "10.96.0.80").source == "10.244.2.1"


def test_the_outside_reaches_node_ports_through_the_node_it_asked(places):
    way = go(places, OUTSIDE, "172.18.0.2", 30080)
    assert (way.ip, way.source) == (places.plan.outer("10.244.2.2"), "172.18.0.2")


def test_the_outside_reaches_no_pod_and_no_service(places):
    assert {go(places, OUTSIDE, ip).error for ip in ("10.244.2.2", "10.96.0.80")} == {errno.ENETUNREACH}


def test_the_rules_of_the_endpoints_node_count_too(places):
    assert go(places, pod("a"), "10.244.2.3").kind == "drop"
    assert go(places, pod("a"), "10.244.2.4").error == errno.EHOSTUNREACH


def test_a_gateway_is_its_node(places):
    assert go(places, pod("a"), "10.244.1.1").ip == places.plan.outer(WORKER.ip)


def test_an_address_outside_of_the_cluster_is_the_kernels_unless_a_rule_says_otherwise(places):
    assert go(places, pod("a"), "203.0.113.8").kind == "native"
    assert go(places, node(WORKER.name), "203.0.113.7").ip == places.plan.outer("10.244.1.2")


def test_localhost_prefers_who_listens_there_only(places):
    own = places.sites[pod("a")]
    assert go(places, pod("a"), "127.0.0.1", 8080).ip == own.outer
    places.standing.add(("tcp", own.localhost, 8080))
    assert go(places, pod("a"), "127.0.0.1", 8080).ip == own.localhost
    assert go(places, pod("a"), "127.0.0.1", 8080).source == "127.0.0.1"


def test_a_removed_pod_is_nowhere_and_its_address_can_be_given_again(places):
    places.remove_pod("b")
    assert go(places, pod("a"), "10.96.0.80").kind == "drop"
    assert go(places, node(WORKER.name), "10.244.2.2").kind == "drop"
    places.add_pod("e", WORKER2.name, "10.244.2.2")
    assert go(places, pod("a"), "10.96.0.80").kind == "deliver"
    assert places.remove_pod("b") is None


def test_counters_of_the_rules_count(places):
    go(places, pod("a"), "10.96.0.80")
    saved = places.hosts[WORKER.name].rules.save("nat", counters=True)
    assert "[1:60] -A PREROUTING -d 10.96.0.80/32" in saved
