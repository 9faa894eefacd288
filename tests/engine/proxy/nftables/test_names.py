from __future__ import annotations

import pytest

from kubelab.engine.proxy.endpoints import Endpoint
from kubelab.engine.proxy.nftables.names import endpoint_base, is_of_a_port, port_base
from kubelab.engine.proxy.services import PortName


@pytest.mark.parametrize(
    ("name", "base"),
    [
        (("ns1", "svc1", "p80", "tcp"), "ULMVA6XW-ns1/svc1/tcp/p80"),
        (("ns2", "svc2", "p80", "tcp"), "42NFTM6N-ns2/svc2/tcp/p80"),
        (("ns2", "svc2", "p8080", "tcp"), "MHHHYRWA-ns2/svc2/tcp/p8080"),
        (("ns5", "svc5", "p80", "tcp"), "HVFWP5L3-ns5/svc5/tcp/p80"),
        (("testing", "service", "https", "tcp"), "LZBRENCP-testing/service/tcp/https"),
    ],
)
def test_a_ports_objects_are_named_by_hash_and_path(name, base):
    assert port_base(PortName(*name)) == base


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [
        (Endpoint("10.180.0.1", 80), "JO2XBXZR-testing/service/tcp/http__10.180.0.1/80"),
        (
            Endpoint("fd80:abcd:12::a1b2:c3d4:e5f6:9999", 80),
            "U7E2ET36-testing/service/tcp/http__fd80.abcd.12..a1b2.c3d4.e5f6.9999/80",
        ),
    ],
)
def test_an_endpoints_objects_are_named_by_its_address_too(endpoint, base):
    assert endpoint_base(PortName("testing", "service", "http", "tcp"), endpoint) == base


def test_an_unnamed_port_leaves_its_place_empty():
    assert port_base(PortName("ns", "svc", "", "tcp")).endswith("-ns/svc/tcp/")


def test_a_long_name_loses_its_end_but_keeps_its_hash():
    name = PortName("n" * 63, "s" * 63, "p" * 63, "tcp")
    one, two = (endpoint_base(name, Endpoint("fd80:abcd:1234:5678:a1b2:c3d4:e5f6:9999", port)) for port in (80, 81))
    assert len(one) == 240 and one.endswith("...") and one != two


def test_chains_with_a_slash_belong_to_ports():
    assert is_of_a_port(f"service-{port_base(PortName('ns', 'svc', '', 'tcp'))}") and not is_of_a_port("services")
