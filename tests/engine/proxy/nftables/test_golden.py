"""Each kind of Service under each policy, with and without affinity: every object, in the order in which it is written.

Derived from what kube-proxy 1.36 writes; S, E1 and E2 stand for the names' common part.
"""

from __future__ import annotations

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.nftables import compile_table, first_sync

CLUSTER_IP = "element cluster-ips { 10.96.0.1 }"
HAIRPIN = "element hairpin-connections { 10.180.0.2 . 10.180.0.2 . tcp . 80 }"
PICK = "meta l4proto tcp dnat ip addr . port to numgen random mod"
BOTH = f"rule service-S {PICK} 2 map {{ 0 : 10.180.0.1 . 80 , 1 : 10.180.0.2 . 80 }}"
HERE = f"rule local-S {PICK} 1 map {{ 0 : 10.180.0.2 . 80 }}"
MARK = "mark set mark or 0x00004000"
SHORT_CIRCUITS = [
    'rule external-S ip saddr 10.244.0.0/16 goto service-S comment "short-circuit pod traffic"',
    f'rule external-S fib saddr type local {MARK} comment "masquerade local traffic"',
    'rule external-S fib saddr type local goto service-S comment "short-circuit local traffic"',
]
TO_CLUSTER = [f'rule external-S {MARK} comment "masquerade"', "rule external-S goto service-S"]
AFFINITY = "{ type ipv4_addr ; flags dynamic,timeout ; timeout 10800s ; }"
SETS = [f"set affinity-E1 {AFFINITY}", f"set affinity-E2 {AFFINITY}"]
REMEMBER = [
    "rule endpoint-E1 update @affinity-E1 { ip saddr }",
    "rule endpoint-E1 meta l4proto tcp dnat to 10.180.0.1:80",
    "rule endpoint-E2 update @affinity-E2 { ip saddr }",
    "rule endpoint-E2 meta l4proto tcp dnat to 10.180.0.2:80",
]
KNOWN = [
    "rule service-S ip saddr @affinity-E1 goto endpoint-E1",
    "rule service-S ip saddr @affinity-E2 goto endpoint-E2",
    "rule service-S numgen random mod 2 vmap { 0 : goto endpoint-E1 , 1 : goto endpoint-E2 }",
]
KNOWN_HERE = [
    "rule local-S ip saddr @affinity-E2 goto endpoint-E2",
    "rule local-S numgen random mod 1 vmap { 0 : goto endpoint-E2 }",
]


def goto(address: str, chain: str) -> str:
    return f"element service-ips {{ {address} . tcp . 80 : goto {chain} }}"


def refused(address: str, verdict: str) -> str:
    return f'element no-endpoint-services {{ {address} . tcp . 80 comment "testing/service:http" : {verdict} }}'


def refused_node_port(verdict: str) -> str:
    return f'element no-endpoint-nodeports {{ tcp . 30080 comment "testing/service:http" : {verdict} }}'


NODE_PORT = {"type": "NodePort", "node_port": 30080}
TO_NODE_PORT = "element service-nodeports { tcp . 30080 : goto external-S }"
BALANCER = {"type": "LoadBalancer", "node_port": 30080, "vips": ("172.18.255.1",)}
LOCAL = {"externalTrafficPolicy": "Local"}
STICKY = {"sessionAffinity": "ClientIP"}
INSIDE = {"internalTrafficPolicy": "Local"}
FIREWALL = "element firewall-ips { 172.18.255.1 . tcp . 80 : goto firewall-S }"

CASES = {
    "ClusterIP": (
        {},
        [HAIRPIN, "chain service-S", CLUSTER_IP, goto("10.96.0.1", "service-S"), BOTH],
    ),
    "ClusterIP, affinity": (
        STICKY,
        [
            "chain endpoint-E1", "chain endpoint-E2", HAIRPIN, "chain service-S",
            CLUSTER_IP, goto("10.96.0.1", "service-S"), *SETS, *KNOWN, *REMEMBER,
        ],
    ),
    "ClusterIP, internal Local": (
        INSIDE,
        [HAIRPIN, "chain local-S", CLUSTER_IP, goto("10.96.0.1", "local-S"), HERE],
    ),
    "ClusterIP, internal Local, affinity": (
        INSIDE | STICKY,
        [
            "chain endpoint-E2", HAIRPIN, "chain local-S", CLUSTER_IP, goto("10.96.0.1", "local-S"),
            SETS[1], *KNOWN_HERE, *REMEMBER[2:],
        ],
    ),
    "ClusterIP, internal Local, none here": (
        INSIDE | {"here": False},
        [CLUSTER_IP, refused("10.96.0.1", "drop")],
    ),
    "ClusterIP, no endpoints": (
        {"here": False, "elsewhere": False},
        [CLUSTER_IP, refused("10.96.0.1", "goto reject-chain")],
    ),
    "external IP": (
        {"externalIPs": ["192.168.9.9"]},
        [
            HAIRPIN, "chain service-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "service-S"),
            goto("192.168.9.9", "external-S"), *TO_CLUSTER, BOTH,
        ],
    ),
    "external IP, Local, none here": (
        LOCAL | {"externalIPs": ["192.168.9.9"], "here": False},
        [
            "chain service-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "service-S"),
            goto("192.168.9.9", "external-S"), refused("192.168.9.9", "drop"), *SHORT_CIRCUITS,
            f"rule service-S {PICK} 1 map {{ 0 : 10.180.0.1 . 80 }}",
        ],
    ),
    "NodePort": (
        NODE_PORT,
        [
            HAIRPIN, "chain service-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "service-S"), TO_NODE_PORT,
            *TO_CLUSTER, BOTH,
        ],
    ),
    "NodePort, affinity": (
        NODE_PORT | STICKY,
        [
            "chain endpoint-E1", "chain endpoint-E2", HAIRPIN, "chain service-S", "chain external-S",
            CLUSTER_IP, goto("10.96.0.1", "service-S"), TO_NODE_PORT, *TO_CLUSTER, *SETS, *KNOWN, *REMEMBER,
        ],
    ),
    "NodePort, Local": (
        NODE_PORT | LOCAL,
        [
            HAIRPIN, "chain service-S", "chain local-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "service-S"),
            TO_NODE_PORT, *SHORT_CIRCUITS, "rule external-S goto local-S", BOTH, HERE,
        ],
    ),
    "NodePort, Local, affinity": (
        NODE_PORT | LOCAL | STICKY,
        [
            "chain endpoint-E1", "chain endpoint-E2", HAIRPIN, "chain service-S", "chain local-S", "chain external-S",
            CLUSTER_IP, goto("10.96.0.1", "service-S"), TO_NODE_PORT, *SHORT_CIRCUITS, "rule external-S goto local-S",
            *SETS, *KNOWN, *KNOWN_HERE, *REMEMBER,
        ],
    ),
    "NodePort, Local, none here": (
        NODE_PORT | LOCAL | {"here": False},
        [
            "chain service-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "service-S"), TO_NODE_PORT,
            refused_node_port("drop"), *SHORT_CIRCUITS, f"rule service-S {PICK} 1 map {{ 0 : 10.180.0.1 . 80 }}",
        ],
    ),
    "NodePort, both policies Local": (
        NODE_PORT | LOCAL | INSIDE,
        [
            HAIRPIN, "chain service-S", "chain local-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "local-S"),
            TO_NODE_PORT, *SHORT_CIRCUITS, "rule external-S goto local-S", BOTH, HERE,
        ],
    ),
    "LoadBalancer": (
        BALANCER,
        [
            HAIRPIN, "chain service-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "service-S"),
            goto("172.18.255.1", "external-S"), TO_NODE_PORT, *TO_CLUSTER, BOTH,
        ],
    ),
    "LoadBalancer, source ranges with the node's": (
        BALANCER | {"loadBalancerSourceRanges": ["203.0.113.0/24", " 172.18.0.0/16"]},
        [
            HAIRPIN, "chain service-S", "chain external-S", CLUSTER_IP, goto("10.96.0.1", "service-S"),
            "chain firewall-S", goto("172.18.255.1", "external-S"), FIREWALL, TO_NODE_PORT, *TO_CLUSTER,
            "rule firewall-S ip saddr != { 203.0.113.0/24 , 172.18.0.0/16 , 172.18.255.1 } drop", BOTH,
        ],
    ),
    "LoadBalancer, Local, affinity, source ranges": (
        BALANCER | LOCAL | STICKY | {"loadBalancerSourceRanges": ["203.0.113.0/24"]},
        [
            "chain endpoint-E1", "chain endpoint-E2", HAIRPIN, "chain service-S", "chain local-S", "chain external-S",
            CLUSTER_IP, goto("10.96.0.1", "service-S"), "chain firewall-S", goto("172.18.255.1", "external-S"),
            FIREWALL, TO_NODE_PORT, *SHORT_CIRCUITS, "rule external-S goto local-S",
            "rule firewall-S ip saddr != { 203.0.113.0/24 } drop", *SETS, *KNOWN, *KNOWN_HERE, *REMEMBER,
        ],
    ),
    "LoadBalancer, source ranges, no endpoints": (
        BALANCER | {"loadBalancerSourceRanges": ["203.0.113.0/24"], "here": False, "elsewhere": False},
        [
            CLUSTER_IP, refused("10.96.0.1", "goto reject-chain"), "chain firewall-S", FIREWALL,
            refused("172.18.255.1", "goto reject-chain"), refused_node_port("goto reject-chain"),
            "rule firewall-S ip saddr != { 203.0.113.0/24 } drop",
        ],
    ),
    "LoadBalancer, a range of everything": (
        BALANCER | {"loadBalancerSourceRanges": ["203.0.113.0/24", "0.0.0.0/0"], "here": False, "elsewhere": False},
        [
            CLUSTER_IP, refused("10.96.0.1", "goto reject-chain"), refused("172.18.255.1", "goto reject-chain"),
            refused_node_port("goto reject-chain"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_service_has_these_objects(one, own_lines, case):
    spec, expected = CASES[case]
    assert own_lines(one(**spec)) == expected


def test_without_a_detector_pods_have_no_short_cut(one, own_lines):
    lines = own_lines(one(here=False, config={"cluster_cidr": ""}, **NODE_PORT, **LOCAL))
    assert [line for line in lines if line.startswith("rule external-S")] == SHORT_CIRCUITS[1:]


def test_a_cluster_ip_of_several_ports_is_written_once_and_a_claimed_key_belongs_to_the_last(make):
    addresses = {"a": "10.96.0.1", "b": "10.96.0.2"}
    services = [make.service(name, ip, externalIPs=["192.168.9.9"]) for name, ip in addresses.items()]
    services[0]["spec"]["ports"].append({"name": "dns", "port": 53, "protocol": "UDP"})
    slices = [make.slice("a", "10.180.0.1"), make.slice("b", "10.180.0.2")]
    table = compile_table(make.state(services, slices), ProxyConfig())
    lines = first_sync(table).lines
    assert lines.count("add element ip kube-proxy cluster-ips { 10.96.0.1 }") == 1
    claims = [line.split(" kube-proxy ")[1] for line in lines if "element" in line and "192.168.9.9 . tcp" in line]
    assert [each.partition(" :")[0] for each in claims] == [
        "service-ips { 192.168.9.9 . tcp . 80",
        "service-ips { 192.168.9.9 . tcp . 80 }",
        "service-ips { 192.168.9.9 . tcp . 80",
    ]
    assert table.elements["service-ips"]["192.168.9.9 . tcp . 80"].value.endswith("ns1/b/tcp/p80")
