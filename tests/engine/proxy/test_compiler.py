"""The rules of every kind of Service, as kube-proxy 1.36 writes them."""

from __future__ import annotations

from collections import defaultdict

import pytest

from kubelab.engine.proxy import rules_text
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.iptables import compile_rules
from kubelab.engine.proxy.services import PortName

TCP = "-m tcp -p tcp"
MASQ = "-j KUBE-MARK-MASQ"
HALF = "-m statistic --mode random --probability 0.5000000000"


def by_chain(script) -> dict[str, list[str]]:
    """Chain → its rules, without ``-A CHAIN``."""
    found = defaultdict(list)
    for rule in script.rules:
        _, chain, rest = rule.split(" ", 2)
        found[chain].append(rest)
    return dict(found)


def comment(text: str) -> str:
    return f'-m comment --comment "{text}"'


FIREWALL = (
    comment("block incoming localnet connections")
    + " -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
)

LAST = (
    comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
    + " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
)


def test_without_services_there_are_the_shared_rules(make):
    compiled = make.compiled([])
    assert (
        compiled.text()
        == f"""*filter
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-FIREWALL - [0:0]
-A KUBE-FIREWALL {FIREWALL}
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD {comment("kubernetes forwarding rules")} -m mark --mark 0x00004000/0x00004000 -j ACCEPT
-A KUBE-FORWARD {comment("kubernetes forwarding conntrack rule")} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A KUBE-POSTROUTING -m mark ! --mark 0x00004000/0x00004000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000
-A KUBE-POSTROUTING {comment("kubernetes service traffic requiring SNAT")} -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000
-A KUBE-SERVICES {LAST}
COMMIT
"""
    )


def test_a_cluster_ip_with_two_endpoints(make):
    compiled = make.compiled([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1", "10.180.0.2")])
    to = f"{TCP} -d 10.96.0.41 --dport 80"
    nat = by_chain(compiled.nat)
    svc, seps = "KUBE-SVC-XPGD46QRK7WJZT7O", ["KUBE-SEP-SXIVWICOYRO3J4NJ", "KUBE-SEP-LXVODXWDISEETFEF"]
    assert compiled.nat.chains[4:] == [svc, *seps]
    assert nat["KUBE-SERVICES"] == [f"{comment('ns1/svc1:p80 cluster IP')} {to} -j {svc}", LAST]
    assert nat[svc] == [
        f"{comment('ns1/svc1:p80 cluster IP')} {to} ! -s 10.244.0.0/16 {MASQ}",
        f"{comment('ns1/svc1:p80 -> 10.180.0.1:80')} {HALF} -j {seps[0]}",
        f"{comment('ns1/svc1:p80 -> 10.180.0.2:80')} -j {seps[1]}",
    ]
    assert nat[seps[0]] == [
        f"-m comment --comment ns1/svc1:p80 -s 10.180.0.1 {MASQ}",
        f"-m comment --comment ns1/svc1:p80 {TCP} -j DNAT --to-destination 10.180.0.1:80",
    ]


def test_probabilities_have_ten_decimals(make):
    compiled = make.compiled(
        [make.service("svc1", "10.96.0.41")], [make.slice("svc1", *(f"10.0.0.{n}" for n in range(10)))]
    )
    shares = [rule.split("--probability ")[1].split()[0] for rule in compiled.nat.rules if "--probability" in rule]
    assert shares[0] == "0.1000000000" and shares[-2:] == ["0.3333333333", "0.5000000000"]


@pytest.mark.parametrize(
    ("config", "masquerade"),
    [
        ({"cluster_cidr": ""}, None),
        ({"masquerade_all": True}, ""),
        ({"detect_local_mode": "BridgeInterface", "bridge_interface": "cni0"}, "! -i cni0 "),
        ({"detect_local_mode": "InterfaceNamePrefix", "interface_name_prefix": "veth"}, "! -i veth+ "),
    ],
)
def test_who_is_masqueraded_depends_on_how_local_traffic_is_told(make, config, masquerade):
    compiled = make.compiled([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")], **config)
    rules = by_chain(compiled.nat)["KUBE-SVC-XPGD46QRK7WJZT7O"]
    want = f"{comment('ns1/svc1:p80 cluster IP')} {TCP} -d 10.96.0.41 --dport 80 {masquerade}{MASQ}"
    assert (rules[0] == want) if masquerade is not None else (len(rules) == 1)


def test_without_endpoints_every_way_in_is_refused_in_the_filter_table(make):
    service = make.service(
        "svc1", "10.96.0.41", type="LoadBalancer", node_port=30001, vips=("1.2.3.4",), externalIPs=["192.168.9.9"]
    )
    compiled = make.compiled([service])
    filter_, no = by_chain(compiled.filter), comment("ns1/svc1:p80 has no endpoints")
    assert filter_["KUBE-SERVICES"] == [f"{no} {TCP} -d 10.96.0.41 --dport 80 -j REJECT"]
    assert filter_["KUBE-EXTERNAL-SERVICES"] == [
        f"{no} {TCP} -d 192.168.9.9 --dport 80 -j REJECT",
        f"{no} {TCP} -d 1.2.3.4 --dport 80 -j REJECT",
        f"{no} -m addrtype --dst-type LOCAL {TCP} --dport 30001 -j REJECT",
    ]
    assert by_chain(compiled.nat)["KUBE-SERVICES"] == [LAST]


def test_a_load_balancer_with_source_ranges_an_external_ip_and_a_node_port(make):
    service = make.service(
        "svc4", "10.96.0.44", namespace="ns4", type="LoadBalancer", node_port=30004, vips=("1.2.3.4",),
        externalIPs=["192.168.9.9"], loadBalancerSourceRanges=["203.0.113.0/24", "172.18.0.0/16"],
    )  # fmt: skip
    compiled = make.compiled([service], [make.slice("svc4", "10.180.0.4", namespace="ns4")])
    nat, filter_ = by_chain(compiled.nat), by_chain(compiled.filter)
    svc, ext, fw = (f"KUBE-{kind}-4SW47YFZTEDKD3PK" for kind in ("SVC", "EXT", "FW"))
    assert compiled.nat.chains[4:7] == [ext, fw, svc]
    assert nat["KUBE-SERVICES"] == [
        f"{comment('ns4/svc4:p80 cluster IP')} {TCP} -d 10.96.0.44 --dport 80 -j {svc}",
        f"{comment('ns4/svc4:p80 external IP')} {TCP} -d 192.168.9.9 --dport 80 -j {ext}",
        f"{comment('ns4/svc4:p80 loadbalancer IP')} {TCP} -d 1.2.3.4 --dport 80 -j {fw}",
        LAST,
    ]
    assert nat["KUBE-NODEPORTS"] == [f"-m comment --comment ns4/svc4:p80 {TCP} --dport 30004 -j {ext}"]
    assert nat[ext] == [
        f"{comment('masquerade traffic for ns4/svc4:p80 external destinations')} {MASQ}",
        f"-j {svc}",
    ]
    assert nat[fw] == [
        f"{comment('ns4/svc4:p80 loadbalancer IP')} -s 203.0.113.0/24 -j {ext}",
        f"{comment('ns4/svc4:p80 loadbalancer IP')} -s 172.18.0.0/16 -j {ext}",
        f"{comment('ns4/svc4:p80 loadbalancer IP')} -s 1.2.3.4 -j {ext}",
        comment("other traffic to ns4/svc4:p80 will be dropped by KUBE-PROXY-FIREWALL"),
    ]
    assert filter_["KUBE-PROXY-FIREWALL"] == [
        f"{comment(f'ns4/svc4:p80 traffic not accepted by {fw}')} {TCP} -d 1.2.3.4 --dport 80 -j DROP"
    ]


def local_node_port(make, *endpoints):
    service = make.service(
        "svc5", "10.96.0.45", namespace="ns5", type="LoadBalancer", node_port=30005, vips=("1.2.3.5",),
        externalTrafficPolicy="Local", healthCheckNodePort=30500,
    )  # fmt: skip
    return make.compiled([service], [make.slice("svc5", *endpoints, namespace="ns5")])


def test_external_policy_local_short_circuits_pods_and_the_node_and_keeps_the_rest_here(make):
    compiled = local_node_port(make, make.endpoint("10.180.0.5", node=make.node), "10.180.0.6")
    nat = by_chain(compiled.nat)
    svc, svl, ext = (f"KUBE-{kind}-NUKIZ6OKUXPJNT4C" for kind in ("SVC", "SVL", "EXT"))
    traffic = "traffic for ns5/svc5:p80 external destinations"
    assert compiled.nat.chains[4:7] == [ext, svc, svl]
    assert nat[ext] == [
        f"{comment(f'pod {traffic}')} -s 10.244.0.0/16 -j {svc}",
        f"{comment(f'masquerade LOCAL {traffic}')} -m addrtype --src-type LOCAL {MASQ}",
        f"{comment(f'route LOCAL {traffic}')} -m addrtype --src-type LOCAL -j {svc}",
        f"-j {svl}",
    ]
    assert len(nat[svl]) == 1 and "10.180.0.5:80" in nat[svl][0]
    assert by_chain(compiled.filter)["KUBE-NODEPORTS"] == [
        f"{comment('ns5/svc5:p80 health check node port')} {TCP} --dport 30500 -j ACCEPT"
    ]


def test_external_policy_local_without_an_endpoint_here_drops_what_comes_from_outside(make):
    compiled = local_node_port(make, "10.180.0.6")
    nat, filter_ = by_chain(compiled.nat), by_chain(compiled.filter)
    assert "-d 1.2.3.5" in nat["KUBE-SERVICES"][1] and len(nat["KUBE-EXT-NUKIZ6OKUXPJNT4C"]) == 3
    no = comment("ns5/svc5:p80 has no local endpoints")
    assert filter_["KUBE-EXTERNAL-SERVICES"] == [
        f"{no} {TCP} -d 1.2.3.5 --dport 80 -j DROP",
        f"{no} -m addrtype --dst-type LOCAL {TCP} --dport 30005 -j DROP",
    ]
    assert "KUBE-SERVICES" not in filter_
    assert compiled.without_local_endpoints == {"internal": 0, "external": 1}


def test_internal_policy_local_without_an_endpoint_here_drops_at_the_cluster_ip(make):
    service = make.service("svc1", "10.96.0.41", internalTrafficPolicy="Local")
    compiled = make.compiled([service], [make.slice("svc1", "10.180.0.1")])
    assert by_chain(compiled.filter)["KUBE-SERVICES"] == [
        f"{comment('ns1/svc1:p80 has no local endpoints')} {TCP} -d 10.96.0.41 --dport 80 -j DROP"
    ]
    assert not [chain for chain in compiled.nat.chains if chain.startswith("KUBE-SVC-")]


def test_internal_policy_local_with_an_endpoint_here_uses_the_local_chain(make):
    service = make.service("svc1", "10.96.0.41", internalTrafficPolicy="Local")
    compiled = make.compiled([service], [make.slice("svc1", make.endpoint("10.180.0.1", node=make.node), "10.180.0.2")])
    assert compiled.nat.chains[4:] == ["KUBE-SVL-XPGD46QRK7WJZT7O", "KUBE-SEP-SXIVWICOYRO3J4NJ"]


def test_session_affinity_asks_every_endpoint_for_the_client_before_balancing(make):
    service = make.service("svc1", "10.96.0.41", sessionAffinity="ClientIP")
    compiled = make.compiled([service], [make.slice("svc1", "10.180.0.1", "10.180.0.2")])
    nat, sep = by_chain(compiled.nat), "KUBE-SEP-SXIVWICOYRO3J4NJ"
    rules = nat["KUBE-SVC-XPGD46QRK7WJZT7O"][1:]
    assert rules[0] == (
        f"{comment('ns1/svc1:p80 -> 10.180.0.1:80')} -m recent --name {sep} --rcheck --seconds 10800 --reap -j {sep}"
    )
    assert ["recent" in rule for rule in rules] == [True, True, False, False]
    assert nat[sep][1] == (
        f"-m comment --comment ns1/svc1:p80 -m recent --name {sep} --set {TCP} -j DNAT --to-destination 10.180.0.1:80"
    )


def test_an_unnamed_udp_port(make):
    service = make.service("dns", "10.96.0.10", port=53, port_name="", protocol="UDP")
    compiled = make.compiled([service], [make.slice("dns", "10.180.0.1", port=5353, port_name="", protocol="UDP")])
    assert f"{comment('ns1/dns cluster IP')} -m udp -p udp -d 10.96.0.10 --dport 53" in compiled.text()
    assert "-m comment --comment ns1/dns -m udp -p udp -j DNAT --to-destination 10.180.0.1:5353" in compiled.text()


def test_node_ports_can_be_restricted_to_some_of_the_nodes_addresses(make):
    nat = by_chain(make.compiled([], node_port_addresses=("172.18.0.0/16", "127.0.0.0/8")).nat)["KUBE-SERVICES"]
    assert [rule.split('" ')[1] for rule in nat] == [
        f"-d {make.node_ip} -j KUBE-NODEPORTS",
        "-d 127.0.0.1 -j KUBE-NODEPORTS",
    ]


def test_without_localhost_node_ports_loopback_is_left_out(make):
    compiled = make.compiled([], localhost_node_ports=False)
    assert "KUBE-FIREWALL" not in compiled.text()
    assert "-m addrtype --dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS" in compiled.text()


def test_a_liberal_conntrack_leaves_invalid_packets_alone(make):
    assert "INVALID" not in make.compiled([], tcp_be_liberal=True).text()


def many(make, count, *, endpoints):
    services = [make.service(f"svc{n}", f"10.96.1.{n}") for n in range(count)]
    slices = [make.slice(f"svc{n}", *(f"10.0.{n}.{e}" for e in range(endpoints))) for n in range(count)]
    return services, slices


def test_the_number_of_rules_grows_as_published(make):
    empty = make.compiled([make.service(f"svc{n}", f"10.96.1.{n}") for n in range(7)])
    assert (empty.filter.counted, empty.nat.counted) == (4 + 7, 5)
    full = make.compiled(*many(make, 7, endpoints=3))
    assert (full.filter.counted, full.nat.counted) == (4, 5 + 7 * (2 + 3 * 3))


@pytest.mark.parametrize(("endpoints", "filter_each", "nat_each"), [(0, 4, 0), (3, 1, 10 + 3 * 3)])
def test_the_number_of_rules_of_load_balancers_grows_as_published(make, endpoints, filter_each, nat_each):
    services = [
        make.service(
            f"svc{n}", f"10.96.1.{n}", type="LoadBalancer", node_port=30000 + n, vips=(f"1.2.3.{n}",),
            externalIPs=[f"192.168.9.{n}"], loadBalancerSourceRanges=["203.0.113.0/24"],
        )
        for n in range(5)
    ]  # fmt: skip
    compiled = make.compiled(services, many(make, 5, endpoints=endpoints)[1], nfacct=True)
    assert (compiled.filter.counted, compiled.nat.counted) == (4 + 5 * filter_each, 5 + 5 * nat_each)


def test_a_large_cluster_has_no_comments_on_the_rules_of_endpoints(make):
    compiled = make.compiled(*many(make, 6, endpoints=200))
    seps = [rule for rule in compiled.nat.rules if rule.startswith("-A KUBE-SEP-") or "-j KUBE-SEP-" in rule]
    assert seps and not [rule for rule in seps if "comment" in rule]
    assert comment("ns1/svc1:p80 cluster IP") in compiled.text()


def test_a_partial_compilation_writes_the_shared_chains_and_the_changed_ones(make):
    state = make.state(*many(make, 3, endpoints=2))
    changed = {PortName("ns1", "svc1", "p80", "tcp")}
    compiled = compile_rules(state, ProxyConfig(), changed=changed, existing_chains=["KUBE-SEP-OLD", "MINE"])
    assert len(by_chain(compiled.nat)["KUBE-SERVICES"]) == 4
    assert {chain[:9] for chain in compiled.nat.chains[4:]} == {"KUBE-SVC-", "KUBE-SEP-"}
    assert len(compiled.nat.chains) == 4 + 3 + 1
    assert compiled.nat.deletions == ["KUBE-SEP-OLD"] and "-X KUBE-SEP-OLD" in compiled.nat.text()
    assert compiled.nat.counted == compile_rules(state, ProxyConfig()).nat.counted


def test_the_rules_of_a_node_can_be_had_as_text(make):
    objects = {"services": [make.service("svc1", "10.96.0.41")], "endpointslices": [make.slice("svc1", "10.180.0.1")]}
    text = rules_text("iptables", make.node, objects, cluster_cidr="10.244.0.0/16")
    assert "-j KUBE-SVC-XPGD46QRK7WJZT7O" in text and "! -s 10.244.0.0/16" in text
    with pytest.raises(ValueError, match="'userspace' is not a mode"):
        rules_text("userspace", make.node, objects)
