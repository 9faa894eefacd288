"""Which pods are behind a Service's port."""

from __future__ import annotations

import pytest

from kubelab.routing.upstreams import Services, Unresolved

READY = {"ready": True, "serving": True, "terminating": False}
NOT_READY = {"ready": False, "serving": False, "terminating": False}
DRAINING = {"ready": False, "serving": True, "terminating": True}
GONE = {"ready": False, "serving": False, "terminating": True}


def addresses(services, name="web", port="http"):
    services.port("shop", name, port)
    (upstream,) = services.upstreams.values()
    return [f"{each.ip}:{each.port}" for each in upstream.endpoints]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((READY, NOT_READY, DRAINING), ["10.244.1.0:8080"]),
        ((GONE, NOT_READY, DRAINING), ["10.244.1.2:8080"]),
        ((GONE, NOT_READY), []),
        (({}, READY), ["10.244.1.0:8080", "10.244.1.1:8080"]),
    ],
)
def test_only_the_ready_ones_and_when_there_is_none_those_that_drain(make, conditions, expected):
    endpoints = [(f"10.244.1.{number}", each) for number, each in enumerate(conditions)]
    assert addresses(Services([make.service("web")], [make.endpoint_slice("web", *endpoints)])) == expected


def test_several_slices_are_one_and_none_is_counted_twice(make):
    slices = [
        make.endpoint_slice("web", "10.244.1.2", "10.244.1.1"),
        make.endpoint_slice("web", "10.244.1.2", name="b"),
    ]
    assert addresses(Services([make.service("web")], slices)) == ["10.244.1.1:8080", "10.244.1.2:8080"]


def test_each_slice_says_the_number_behind_a_ports_name(make):
    slices = [
        make.endpoint_slice("web", "10.244.1.1", ports=[{"name": "http", "port": 8080}, {"name": "x", "port": 1}]),
        make.endpoint_slice("web", "10.244.1.2", name="b", ports=[{"name": "http", "port": 9090}]),
    ]
    assert addresses(Services([make.service("web")], slices)) == ["10.244.1.1:8080", "10.244.1.2:9090"]


def test_a_port_without_name_is_found_in_slices_without_name(make):
    services = Services(
        [make.service("web", ports=[{"port": 80}])],
        [make.endpoint_slice("web", "10.244.1.1", ports=[{"name": "", "port": 8080}])],
    )
    assert addresses(services, port=80) == ["10.244.1.1:8080"]


def test_slices_of_other_services_namespaces_and_address_families_do_not_count(make):
    services = Services(
        [make.service("web")],
        [
            make.endpoint_slice("other", "10.244.1.1"),
            make.endpoint_slice("web", "10.244.1.2", namespace="elsewhere"),
            {**make.endpoint_slice("web", "fd00::1"), "addressType": "IPv6"},
        ],
    )
    assert addresses(services) == []


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [("kubernetes.io/h2c", "h2c"), ("grpc", "h2c"), ("kubernetes.io/ws", "HTTP/1.1"), (None, "HTTP/1.1")],
)
def test_app_protocol_says_what_is_spoken(make, protocol, expected):
    services = Services([make.service("web", ports=[{"port": 80, "appProtocol": protocol}])], [])
    port = services.port("shop", "web", 80)
    assert services.upstreams[port].protocol == expected


def test_a_service_without_ports_says_that_it_has_none(make):
    headless = make.service("web")
    del headless["spec"]["ports"]
    with pytest.raises(Unresolved, match="no TCP port 80; it has none"):
        addresses(Services([headless], []), port=80)


def test_what_go_writes_for_a_slice_without_anything_is_nothing(make):
    empty = {**make.endpoint_slice("web"), "endpoints": None, "ports": None}
    assert addresses(Services([make.service("web")], [empty])) == []
