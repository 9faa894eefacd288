"""Which endpoints a Service's port may use."""

from __future__ import annotations

import pytest

from kubelab.engine.proxy.addresses import canonical_cidr
from kubelab.engine.proxy.endpoints import NodeView, node_ip, usable
from kubelab.engine.proxy.services import PortName, service_ports
from kubelab.engine.proxy.state import ProxyState


@pytest.fixture
def choose(make):
    def choose(*endpoints, zone="", **spec):
        service = make.service("svc1", "10.96.0.1", **spec)
        state = make.state([service], [make.slice("svc1", *endpoints)], zone=zone)
        (name,) = state.services
        return usable(state.services[name], state.endpoints_of(name), state.node)

    return choose


def ips(endpoints):
    return [each.ip for each in endpoints]


def test_ready_endpoints_are_used_in_the_order_of_their_text(choose):
    assert ips(choose("10.0.0.2", "10.0.0.10").cluster) == ["10.0.0.10", "10.0.0.2"]


def test_terminating_endpoints_that_serve_are_the_last_resort(choose, make):
    leaving = make.endpoint("10.0.0.1", ready=False, serving=True, terminating=True)
    gone = make.endpoint("10.0.0.2", ready=False, serving=False, terminating=True)
    assert ips(choose(leaving, gone).cluster) == ["10.0.0.1"]
    assert ips(choose(leaving, gone, "10.0.0.3").cluster) == ["10.0.0.3"]


def test_conditions_that_are_not_set_mean_ready(choose):
    assert choose({"addresses": ["10.0.0.1"]}).any


def test_internal_policy_local_uses_this_nodes_endpoints_only(choose, make):
    here = make.endpoint("10.0.0.1", node=make.node)
    found = choose(here, "10.0.0.2", internalTrafficPolicy="Local")
    assert (ips(found.cluster), ips(found.local), ips(found.reachable)) == ([], ["10.0.0.1"], ["10.0.0.1"])


def test_external_policy_local_keeps_both_lists(choose, make):
    here = make.endpoint("10.0.0.1", node=make.node)
    found = choose(here, "10.0.0.2", type="NodePort", node_port=30001, externalTrafficPolicy="Local")
    assert (ips(found.cluster), ips(found.local)) == (["10.0.0.1", "10.0.0.2"], ["10.0.0.1"])


def test_a_local_endpoint_that_terminates_joins_what_is_reachable(choose, make):
    here = make.endpoint("10.0.0.9", node=make.node, ready=False, terminating=True)
    found = choose(here, "10.0.0.2", type="NodePort", node_port=30001, externalTrafficPolicy="Local")
    assert (ips(found.cluster), ips(found.local), ips(found.reachable)) == (
        ["10.0.0.2"], ["10.0.0.9"], ["10.0.0.2", "10.0.0.9"],
    )  # fmt: skip


def zone_hint(*zones):
    return {"forZones": [{"name": zone} for zone in zones]}


def test_zone_hints_count_when_every_ready_endpoint_has_one(choose, make):
    a, b = make.endpoint("10.0.0.1", hints=zone_hint("a")), make.endpoint("10.0.0.2", hints=zone_hint("b"))
    assert ips(choose(a, b, zone="a").cluster) == ["10.0.0.1"]
    assert ips(choose(a, b, zone="c").cluster) == ["10.0.0.1", "10.0.0.2"]
    assert ips(choose(a, b, "10.0.0.3", zone="a").cluster) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_a_hint_for_this_node_goes_before_one_for_its_zone(choose, make):
    here = {**zone_hint("a"), "forNodes": [{"name": make.node}]}
    there = {**zone_hint("a"), "forNodes": [{"name": "elsewhere"}]}
    found = choose(make.endpoint("10.0.0.1", hints=here), make.endpoint("10.0.0.2", hints=there), zone="a")
    assert ips(found.cluster) == ["10.0.0.1"]


def test_of_two_slices_with_one_address_the_endpoint_that_stays_wins(make):
    leaving = make.endpoint("10.0.0.1", ready=False, terminating=True)
    slices = [make.slice("svc1", "10.0.0.1", name="new"), make.slice("svc1", leaving, name="old")]
    for order in (slices, slices[::-1]):
        (found,) = make.state([make.service("svc1", "10.96.0.1")], order).endpoints[
            PortName("ns1", "svc1", "p80", "tcp")
        ]
        assert found.ready and not found.terminating


def test_slices_of_headless_services_and_of_other_families_are_not_seen(make):
    headless, other = make.slice("svc1", "10.0.0.1"), make.slice("svc1", "10.0.0.2")
    headless["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
    other["addressType"] = "IPv6"
    assert make.state([], [headless, other]).endpoints == {}


@pytest.mark.parametrize(
    "changes",
    [{"clusterIP": "None", "clusterIPs": ["None"]}, {"type": "ExternalName"}, {"clusterIP": "", "clusterIPs": []}],
)
def test_services_without_an_address_of_their_own_have_no_ports_here(make, changes):
    assert service_ports(make.service("svc1", "10.96.0.1", **changes), 4) == []


def test_a_service_of_another_proxy_is_left_alone(make):
    service = make.service("svc1", "10.96.0.1")
    service["metadata"]["labels"] = {"service.kubernetes.io/service-proxy-name": "other"}
    assert service_ports(service, 4) == []


def test_families_say_which_address_is_whose(make):
    both = {"clusterIPs": ["fd00::1", "10.96.0.1"], "ipFamilies": ["IPv6", "IPv4"]}
    service = make.service("svc1", "fd00::1", **both)
    assert [service_ports(service, family)[0].cluster_ip for family in (4, 6)] == ["10.96.0.1", "fd00::1"]
    service["spec"]["ipFamilies"] = ["IPv6"]
    assert service_ports(service, 4) == []
    del service["spec"]["ipFamilies"]
    assert service_ports(service, 4) == [] and service_ports(service, 6)[0].cluster_ip == "fd00::1"


def test_a_slice_that_names_another_proxy_is_seen_as_only_services_are_left_to_others(make):
    endpoints = make.slice("svc1", "10.0.0.1")
    endpoints["metadata"]["labels"]["service.kubernetes.io/service-proxy-name"] = "other"
    assert len(make.state([], [endpoints]).endpoints) == 1


def test_a_load_balancer_that_says_null_of_its_mode_is_one_with_the_default_mode(make):
    service = make.service("svc1", "10.96.0.1", type="LoadBalancer")
    service["status"]["loadBalancer"]["ingress"] = [{"ip": "1.2.3.4", "ipMode": None}]
    assert service_ports(service, 4)[0].load_balancer_vips == ("1.2.3.4",)


@pytest.mark.parametrize(
    "text", ["10.0.0.0/255.0.0.0", "10.0.0.0/0.0.0.255", "10.0.0.1", "10..0.1/8", "fe80::1%eth0/64"]
)
def test_what_go_does_not_read_as_a_range_is_none(text):
    assert canonical_cidr(text) is None


def test_addresses_are_normalised_and_load_balancers_that_proxy_are_left_out(make):
    service = make.service(
        "svc1", "10.96.0.1", type="LoadBalancer", externalIPs=["010.1.2.3", "fd00::1"],
        loadBalancerSourceRanges=[" 203.0.113.0/24 "],
    )  # fmt: skip
    service["status"]["loadBalancer"]["ingress"] = [
        {"ip": "1.2.3.4"}, {"ip": "1.2.3.5", "ipMode": "Proxy"}, {"hostname": "lb.example.com"},
    ]  # fmt: skip
    (port,) = service_ports(service, 4)
    assert port.external_ips == ("10.1.2.3",)
    assert port.load_balancer_vips == ("1.2.3.4",)
    assert port.source_ranges == ("203.0.113.0/24",)


def test_a_source_range_that_holds_everything_restricts_nothing(make):
    service = make.service("svc1", "10.96.0.1", loadBalancerSourceRanges=["203.0.113.0/24", "0.0.0.0/0"])
    assert service_ports(service, 4)[0].source_ranges == ()


def test_an_ipv4_address_in_ipv6_clothes_is_an_ipv4_address(make):
    service = make.service("svc1", "10.96.0.1", externalIPs=["::ffff:192.0.2.1"])
    assert service_ports(service, 4)[0].external_ips == ("192.0.2.1",)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_of_one_slices_two_endpoints_with_one_address_the_later_that_stays_wins(make, first, second):
    endpoints = [make.endpoint("10.0.0.1", node=node) for node in (first, second)]
    endpoints.append(make.endpoint("10.0.0.1", ready=False, terminating=True))
    view = ProxyState.of(NodeView("b"), [], [make.slice("svc1", *endpoints)])
    (found,) = view.endpoints[PortName("ns1", "svc1", "p80", "tcp")]
    assert found.ready and found.local == (second == "b")


def test_the_node_ip_is_internal_rather_than_external_and_loopback_without_any():
    addresses = [
        {"type": "Hostname", "address": "worker"},
        {"type": "ExternalIP", "address": "203.0.113.7"},
        {"type": "InternalIP", "address": "172.18.0.3"},
    ]
    node = {"metadata": {"name": "worker"}, "status": {"addresses": addresses}}
    assert node_ip(NodeView.of("worker", node), 4) == "172.18.0.3"
    assert node_ip(NodeView.of("worker", None), 4) == "127.0.0.1"
    assert node_ip(NodeView.of("worker", node), 6) == "::1"
