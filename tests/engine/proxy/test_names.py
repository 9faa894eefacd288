"""Chain names: hashes as kube-proxy makes them."""

from __future__ import annotations

import pytest

from kubelab.engine.proxy.names import endpoint_chain, service_chain
from kubelab.engine.proxy.services import PortName


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        (PortName("ns1", "svc1", "p80", "tcp"), "KUBE-SVC-XPGD46QRK7WJZT7O"),
        (PortName("default", "kubernetes", "https", "tcp"), "KUBE-SVC-NPX46M4PTMTKRN6Y"),
        (PortName("default", "nginx", "", "tcp"), "KUBE-SVC-2CMXP7HKUVJN7L6M"),
        (PortName("ns2", "svc2", "p80", "tcp"), "KUBE-SVC-GNZBNJ2PO5MGZ6GT"),
        (PortName("ns3", "svc3", "p80", "tcp"), "KUBE-SVC-X27LE4BHSL4DOUIK"),
        (PortName("ns4", "svc4", "p80", "tcp"), "KUBE-SVC-4SW47YFZTEDKD3PK"),
        (PortName("ns5", "svc5", "p80", "tcp"), "KUBE-SVC-NUKIZ6OKUXPJNT4C"),
    ],
)
def test_a_services_chain_is_named_after_its_namespace_name_port_and_protocol(name, chain):
    assert service_chain("SVC", name) == chain
    assert service_chain("EXT", name) == chain.replace("SVC", "EXT")


@pytest.mark.parametrize(
    ("name", "endpoint", "chain"),
    [
        (PortName("ns1", "svc1", "p80", "tcp"), "10.180.0.1:80", "KUBE-SEP-SXIVWICOYRO3J4NJ"),
        (PortName("ns1", "svc1", "p80", "tcp"), "10.0.0.0:80", "KUBE-SEP-DKGQUZGBKLTPAR56"),
        (PortName("ns3", "svc3", "p8081", "tcp"), "203.0.113.4:8081", "KUBE-SEP-RUVVH7YV3PHQBDOS"),
    ],
)
def test_an_endpoints_chain_is_named_after_its_service_and_its_address(name, endpoint, chain):
    assert endpoint_chain(name, endpoint) == chain
