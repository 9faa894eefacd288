"""The iptables rules around IPVS: which set makes which rule, and in which order."""

from __future__ import annotations

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.ipvs import compile_plan
from kubelab.engine.proxy.ipvs.sets import empty_sets

EMPTY = """\
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SOURCE-RANGES-FIREWALL - [0:0]
:KUBE-IPVS-FILTER - [0:0]
:KUBE-IPVS-OUT-FILTER - [0:0]
-A KUBE-SOURCE-RANGES-FIREWALL -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x00004000/0x00004000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-NODE-PORT -m comment --comment "Kubernetes health check node port" -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j ACCEPT
-A KUBE-IPVS-FILTER -m set --match-set KUBE-LOAD-BALANCER dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-CLUSTER-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j RETURN
-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT
COMMIT
"""  # noqa: E501


def of_set(name: str, comment: str, directions: str) -> str:
    return f'-m comment --comment "{comment}" -m set --match-set KUBE-{name} {directions}'


CLUSTER = "Kubernetes service cluster ip + port for masquerade purpose"
OUTSIDE = "-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT"


def test_without_services_there_are_the_fixed_rules(make):
    assert compile_plan(make.state([]), ProxyConfig()).restore_text() == EMPTY


@pytest.mark.parametrize(
    ("config", "directions"),
    [
        ({}, "dst,dst ! -s 10.244.0.0/16"),
        ({"cluster_cidr": ""}, "src,dst"),
        ({"masquerade_all": True}, "dst,dst"),
        ({"masquerade_all": True, "cluster_cidr": ""}, "dst,dst"),
    ],
)
def test_who_is_masqueraded_depends_on_how_local_traffic_is_told(one, by_chain, config, directions):
    rule = f"{of_set('CLUSTER-IP', CLUSTER, directions)} -j KUBE-MARK-MASQ"
    assert by_chain(one(config=config))["nat KUBE-SERVICES"] == [
        "-s 127.0.0.0/8 -j RETURN",
        rule,
        "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT",
        "-m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT",
    ]


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_external_ips_are_masqueraded_unless_the_policy_is_local(one, by_chain, policy):
    rules = by_chain(one(externalIPs=["192.168.9.9"], externalTrafficPolicy=policy))["nat KUBE-SERVICES"]
    name, comment = "EXTERNAL-IP", "Kubernetes service external ip + port for masquerade and filter purpose"
    if policy == "Local":
        name, comment = "EXTERNAL-IP-LOCAL", "Kubernetes service external ip + port with externalTrafficPolicy=local"
    to = of_set(name, comment, "dst,dst")
    masquerade = [f"{to} -j KUBE-MARK-MASQ"] if policy == "Cluster" else []
    assert rules[2:-2] == [*masquerade, f"{to} {OUTSIDE}", f"{to} -m addrtype --dst-type LOCAL -j ACCEPT"]


@pytest.mark.parametrize(("protocol", "directions"), [("TCP", "dst"), ("UDP", "dst"), ("SCTP", "dst,dst")])
def test_local_node_ports_return_before_they_are_masqueraded(one, by_chain, protocol, directions):
    plan = one(type="NodePort", node_port=30080, externalTrafficPolicy="Local", protocol=protocol)
    end, kind = ("-HASH", " with type 'hash ip:port'") if protocol == "SCTP" else ("", "")
    local = f"Kubernetes nodeport {protocol} port with externalTrafficPolicy=local{kind}"
    every = f"Kubernetes nodeport {protocol} port for masquerade purpose{kind}"
    only = f"-p {protocol.lower()}"
    assert by_chain(plan)["nat KUBE-NODE-PORT"] == [
        f"{only} {of_set(f'NODE-PORT-LOCAL-{protocol}{end}', local, directions)} -j RETURN",
        f"{only} {of_set(f'NODE-PORT-{protocol}{end}', every, directions)} -j KUBE-MARK-MASQ",
    ]


def test_a_balancer_with_source_ranges_has_a_firewall(one, by_chain):
    spec = {"type": "LoadBalancer", "vips": ("1.2.3.4",), "externalTrafficPolicy": "Local"}
    rules = by_chain(one(**spec, loadBalancerSourceRanges=["172.18.0.0/16"]))
    balancer = "Kubernetes service load balancer ip + port"
    assert rules["filter KUBE-PROXY-FIREWALL"] == [
        of_set("LOAD-BALANCER-FW", f"{balancer} for load balancer with sourceRange", "dst,dst")
        + " -j KUBE-SOURCE-RANGES-FIREWALL"
    ]
    cidr, ip = (f"{balancer} + source {what} for packet filter purpose" for what in ("cidr", "IP"))
    assert rules["filter KUBE-SOURCE-RANGES-FIREWALL"] == [
        of_set("LOAD-BALANCER-SOURCE-CIDR", cidr, "dst,dst,src") + " -j RETURN",
        of_set("LOAD-BALANCER-SOURCE-IP", ip, "dst,dst,src") + " -j RETURN",
        "-j DROP",
    ]
    local = of_set("LOAD-BALANCER-LOCAL", f"{balancer} with externalTrafficPolicy=local", "dst,dst")
    assert rules["nat KUBE-LOAD-BALANCER"] == [f"{local} -j RETURN", "-j KUBE-MARK-MASQ"]
    services = rules["nat KUBE-SERVICES"]
    assert services[1] == of_set("LOAD-BALANCER", "Kubernetes service lb portal", "dst,dst") + " -j KUBE-LOAD-BALANCER"
    assert services[-1] == "-m set --match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT"
    assert "filter KUBE-IPVS-OUT-FILTER" not in rules
    shut_out = by_chain(one(**spec, loadBalancerSourceRanges=["203.0.113.0/24"]))
    assert shut_out["filter KUBE-IPVS-OUT-FILTER"] == [
        "-s 1.2.3.4 -m ipvs --vaddr 1.2.3.4 --vproto tcp --vport 80 -j DROP"
    ]


def test_endpoints_here_are_masqueraded_when_they_reach_themselves(one, by_chain):
    rules = by_chain(one())["nat KUBE-POSTROUTING"]
    hairpin = "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"
    assert rules[0] == of_set("LOOP-BACK", hairpin, "dst,dst,src") + " -j MASQUERADE" and len(rules) == 4


def test_the_sets_of_ipv6_have_names_of_their_own():
    sets = empty_sets(6)
    assert sets["KUBE-CLUSTER-IP"].name == "KUBE-6-CLUSTER-IP"
    assert sets["KUBE-NODE-PORT-LOCAL-SCTP-HASH"].name == "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS"
    assert (
        sets["KUBE-IPVS-IPS"].create_line() == "create KUBE-6-IPVS-IPS hash:ip family inet6 hashsize 1024 maxelem 65536"
    )
    assert sets["KUBE-NODE-PORT-TCP"].create_line() == "create KUBE-6-NODE-PORT-TCP bitmap:port range 0-65535"
    assert len(sets) == 17
