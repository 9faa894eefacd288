"""What is there without any Service, and how the configuration changes it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import Endpoint, NodeView
from kubelab.engine.proxy.nftables import compile_table, first_sync
from kubelab.engine.proxy.nftables.names import endpoint_base
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState

TO = "ipv4_addr . inet_proto . inet_service"
EMPTY = f"""\
add table {{ comment "rules for kube-proxy" ; }}
ANEW
add chain filter-prerouting-pre-dnat {{ type filter hook prerouting priority -110 ; }}
add chain filter-output-pre-dnat {{ type filter hook output priority -110 ; }}
add chain filter-input {{ type filter hook input priority 0 ; }}
add chain filter-forward {{ type filter hook forward priority 0 ; }}
add chain filter-output {{ type filter hook output priority 0 ; }}
add chain nat-prerouting {{ type nat hook prerouting priority -100 ; }}
add chain nat-output {{ type nat hook output priority -100 ; }}
add chain nat-postrouting {{ type nat hook postrouting priority 100 ; }}
add chain nodeport-endpoints-check
add rule filter-input ct state new jump nodeport-endpoints-check
add chain service-endpoints-check
add rule filter-input ct state new jump service-endpoints-check
add rule filter-forward ct state new jump service-endpoints-check
add rule filter-output ct state new jump service-endpoints-check
add chain firewall-check
add rule filter-prerouting-pre-dnat ct state new jump firewall-check
add rule filter-output-pre-dnat ct state new jump firewall-check
add chain services
add rule nat-output jump services
add rule nat-prerouting jump services
add chain masquerading
add rule nat-postrouting jump masquerading
add chain cluster-ips-check
add rule filter-forward ct state new jump cluster-ips-check
add rule filter-output ct state new jump cluster-ips-check
add set hairpin-connections {{ type ipv4_addr . {TO} ; comment "service hairpin connections" ; }}
add rule masquerading mark and 0x00004000 != 0 mark set mark xor 0x00004000 masquerade fully-random
add rule masquerading ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random
add set cluster-ips {{ type ipv4_addr ; comment "Active ClusterIPs" ; }}
add rule cluster-ips-check ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"
add rule cluster-ips-check ip daddr {{ 10.96.0.0/16,10.112.0.0/16 }} drop comment "Drop traffic to unallocated ClusterIPs"
add set nodeport-ips {{ type ipv4_addr ; comment "IPs that accept NodePort traffic" ; }}
flush set nodeport-ips
add element nodeport-ips {{ 172.18.0.3 }}
add map no-endpoint-services {{ type {TO} : verdict ; comment "vmap to drop or reject packets to services with no endpoints" ; }}
add map no-endpoint-nodeports {{ type inet_proto . inet_service : verdict ; comment "vmap to drop or reject packets to service nodeports with no endpoints" ; }}
add chain reject-chain {{ comment "helper for @no-endpoint-services / @no-endpoint-nodeports" ; }}
add rule reject-chain reject
add rule service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services
add rule nodeport-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
add map firewall-ips {{ type {TO} : verdict ; comment "destinations that are subject to LoadBalancerSourceRanges" ; }}
add rule firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips
add map service-ips {{ type {TO} : verdict ; comment "ClusterIP, ExternalIP and LoadBalancer IP traffic" ; }}
add map service-nodeports {{ type inet_proto . inet_service : verdict ; comment "NodePort traffic" ; }}
add rule services ip daddr @cluster-ips ip saddr != 10.244.0.0/16 mark set mark or 0x00004000 comment "masquerade clusterIP traffic from outside cluster"
add rule services ip daddr . meta l4proto . th dport vmap @service-ips
add rule services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
"""  # noqa: E501


def rules_of(table, chain: str) -> list[str]:
    return [each.rule for each in table.rules[chain]]


def test_without_services_there_are_the_shared_objects(make):
    cidrs = ["10.96.0.0/16", "fd00:10:96::/112", "10.112.0.0/16", "10.96.0.0/16"]
    table = compile_table(make.state([]), ProxyConfig(cluster_cidr="10.244.0.0/16"), cidrs)
    lines = [line.replace(" ip kube-proxy", "") for line in first_sync(table).lines]
    anew, lines = lines[1:17], [*lines[:1], "ANEW", *lines[17:]]
    assert "".join(f"{line}\n" for line in lines if not line.startswith("flush chain")) == EMPTY
    names = [line.split()[2] for line in EMPTY.splitlines()[2:10]]
    assert anew == [f"{verb} chain {name}" for name in names for verb in ("add", "delete")]
    for before, line in pairwise(lines):
        made = before.startswith("add chain")
        assert (line == f"flush chain {before.split()[2]}") if made else not line.startswith("flush chain")


@pytest.mark.parametrize(
    ("config", "masquerade"),
    [
        ({"cluster_cidr": ""}, None),
        ({"masquerade_all": True}, ""),
        ({"detect_local_mode": "BridgeInterface", "bridge_interface": "cni0"}, "iifname != cni0 "),
        ({"detect_local_mode": "InterfaceNamePrefix", "interface_name_prefix": "veth"}, "iifname != veth* "),
        ({"masquerade_all": True, "masquerade_bit": 3}, ""),
    ],
)
def test_who_is_masqueraded_depends_on_how_local_traffic_is_told(make, config, masquerade):
    settings = ProxyConfig(**{"cluster_cidr": "10.244.0.0/16", **config})
    rules = rules_of(compile_table(make.state([]), settings), "services")
    assert len(rules) == (2 if masquerade is None else 3)
    if masquerade is not None:
        assert rules[0] == f"ip daddr @cluster-ips {masquerade}mark set mark or {settings.mark}"


def test_without_service_cidrs_unallocated_cluster_ips_are_left_alone(make):
    table = compile_table(make.state([]), ProxyConfig(), ["fd00:10:96::/112"])
    assert rules_of(table, "cluster-ips-check") == ["ip daddr @cluster-ips reject"]


@pytest.mark.parametrize(
    ("addresses", "ips"),
    [
        ((), ["172.18.0.3"]),
        (("10.0.0.0/8",), []),
        (("172.18.0.0/16", "127.0.0.0/8"), ["172.18.0.3"]),
        (("172.18.0.0/16", "0.0.0.0/0"), None),
        (("fd00::/8",), None),
    ],
)
def test_node_ports_answer_at_the_addresses_that_the_configuration_names(make, addresses, ips):
    table = compile_table(make.state([]), ProxyConfig(node_port_addresses=addresses))
    if ips is not None:
        assert list(table.elements["nodeport-ips"]) == ips
        return
    assert "nodeport-ips" not in table.containers
    anywhere = "ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @"
    assert rules_of(table, "nodeport-endpoints-check") == [f"{anywhere}no-endpoint-nodeports"]
    assert rules_of(table, "services")[-1] == f"fib daddr type local {anywhere}service-nodeports"
    about_the_set = [
        line.split(" {")[0] for line in first_sync(table).lines if "set ip kube-proxy nodeport-ips" in line
    ]
    assert about_the_set == ["add set ip kube-proxy nodeport-ips", "delete set ip kube-proxy nodeport-ips"]


def test_a_node_without_an_address_takes_node_ports_at_every_one():
    table = compile_table(ProxyState.of(NodeView("nowhere"), [], []), ProxyConfig())
    assert "nodeport-ips" not in table.containers


def test_ipv6_has_a_table_of_its_own(dual_stack):
    table = dual_stack(sessionAffinity="ClientIP", type="NodePort", node_port=30080)
    address = "fd00:10:244:1::5"
    endpoint = endpoint_base(PortName("testing", "service", "http", "tcp"), Endpoint(address, 80))
    assert endpoint.endswith("-testing/service/tcp/http__fd00.10.244.1..5/80")
    lines = [line.replace(" ip6 kube-proxy", "") for line in first_sync(table).lines]
    assert lines[0] == 'add table { comment "rules for kube-proxy" ; }'
    for wanted in (
        f"add element hairpin-connections {{ {address} . {address} . tcp . 80 }}",
        "add element nodeport-ips { fd00:18::3 }",
        "add element service-ips { fd00:10:96::1 . tcp . 80 : goto service-P4ZYZVCF-testing/service/tcp/http }",
        "add rule cluster-ips-check ip6 daddr { fd00:10:96::/112 } drop"
        ' comment "Drop traffic to unallocated ClusterIPs"',
        "add rule services ip6 daddr @cluster-ips ip6 saddr != fd00:10:244::/56 mark set mark or 0x00004000"
        ' comment "masquerade clusterIP traffic from outside cluster"',
        f"add set affinity-{endpoint} {{ type ipv6_addr ; flags dynamic,timeout ; timeout 10800s ; }}",
        f"add rule endpoint-{endpoint} update @affinity-{endpoint} {{ ip6 saddr }}",
        f"add rule endpoint-{endpoint} meta l4proto tcp dnat to [{address}]:80",
    ):
        assert wanted in lines
    plain = "\n".join(first_sync(dual_stack()).lines)
    assert f"dnat ip6 addr . port to numgen random mod 1 map {{ 0 : {address} . 80 }}" in plain
