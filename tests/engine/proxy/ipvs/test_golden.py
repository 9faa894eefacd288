"""Each kind of Service under each policy, with and without affinity: virtual servers, addresses and sets."""

from __future__ import annotations

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.ipvs import compile_plan, plan_text

ALL = ("10.180.0.1:80", "10.180.0.2:80")
HERE = ("10.180.0.2:80",)
NOBODY = ()

TO = "10.96.0.1,tcp:80"
LOOP = {"KUBE-LOOP-BACK": ["10.180.0.2,tcp:80,10.180.0.2"]}
VIP, OWN = "172.18.255.1", "172.18.0.3"

NODE_PORT = {"type": "NodePort", "node_port": 30080}
BALANCER = {"type": "LoadBalancer", "node_port": 30080, "vips": (VIP,)}
LOCAL = {"externalTrafficPolicy": "Local"}
STICKY = {"sessionAffinity": "ClientIP"}
INSIDE = {"internalTrafficPolicy": "Local"}
EXTERNAL = {"externalIPs": ["192.168.9.9"]}


def sets(**by_name: str) -> dict[str, list[str]]:
    return {f"KUBE-{name.replace('_', '-')}": [entry] for name, entry in by_name.items()}


NODE_PORTS = sets(NODE_PORT_TCP="30080")
NODE_PORTS_LOCAL = NODE_PORTS | sets(NODE_PORT_LOCAL_TCP="30080")
LB = sets(LOAD_BALANCER=f"{VIP},tcp:80")
LB_LOCAL = LB | sets(LOAD_BALANCER_LOCAL=f"{VIP},tcp:80")

CASES = {
    "ClusterIP": ({}, {"10.96.0.1:80": ALL}, ["10.96.0.1"], LOOP),
    "ClusterIP, affinity": (STICKY, {"10.96.0.1:80": ALL}, ["10.96.0.1"], LOOP),
    "ClusterIP, internal Local": (INSIDE, {"10.96.0.1:80": HERE}, ["10.96.0.1"], LOOP),
    "ClusterIP, internal Local, none here": (
        INSIDE | {"here": False},
        {"10.96.0.1:80": NOBODY},
        ["10.96.0.1"],
        {},
    ),
    "ClusterIP, no endpoints": (
        {"here": False, "elsewhere": False},
        {"10.96.0.1:80": NOBODY},
        ["10.96.0.1"],
        {},
    ),
    "external IP": (
        EXTERNAL,
        {"10.96.0.1:80": ALL, "192.168.9.9:80": ALL},
        ["10.96.0.1", "192.168.9.9"],
        LOOP | sets(EXTERNAL_IP="192.168.9.9,tcp:80"),
    ),
    "external IP, Local": (
        EXTERNAL | LOCAL,
        {"10.96.0.1:80": ALL, "192.168.9.9:80": HERE},
        ["10.96.0.1", "192.168.9.9"],
        LOOP | sets(EXTERNAL_IP_LOCAL="192.168.9.9,tcp:80"),
    ),
    "external IP that is the node's own": (
        {"externalIPs": [OWN]},
        {"10.96.0.1:80": ALL, f"{OWN}:80": ALL},
        ["10.96.0.1"],
        LOOP | sets(EXTERNAL_IP=f"{OWN},tcp:80"),
    ),
    "NodePort": (NODE_PORT, {"10.96.0.1:80": ALL, f"{OWN}:30080": ALL}, ["10.96.0.1"], LOOP | NODE_PORTS),
    "NodePort, affinity": (
        NODE_PORT | STICKY,
        {"10.96.0.1:80": ALL, f"{OWN}:30080": ALL},
        ["10.96.0.1"],
        LOOP | NODE_PORTS,
    ),
    "NodePort, Local": (
        NODE_PORT | LOCAL,
        {"10.96.0.1:80": ALL, f"{OWN}:30080": HERE},
        ["10.96.0.1"],
        LOOP | NODE_PORTS_LOCAL,
    ),
    "NodePort, Local, none here: all of them": (
        NODE_PORT | LOCAL | {"here": False},
        {"10.96.0.1:80": ALL[:1], f"{OWN}:30080": ALL[:1]},
        ["10.96.0.1"],
        NODE_PORTS_LOCAL,
    ),
    "NodePort, both policies Local, none here: all of them": (
        NODE_PORT | LOCAL | INSIDE | {"here": False},
        {"10.96.0.1:80": ALL[:1], f"{OWN}:30080": ALL[:1]},
        ["10.96.0.1"],
        NODE_PORTS_LOCAL,
    ),
    "LoadBalancer": (
        BALANCER,
        {"10.96.0.1:80": ALL, f"{VIP}:80": ALL, f"{OWN}:30080": ALL},
        ["10.96.0.1", VIP],
        LOOP | LB | NODE_PORTS,
    ),
    "LoadBalancer, Local, health check": (
        BALANCER | LOCAL | {"healthCheckNodePort": 31234},
        {"10.96.0.1:80": ALL, f"{VIP}:80": HERE, f"{OWN}:30080": HERE},
        ["10.96.0.1", VIP],
        LOOP | LB_LOCAL | NODE_PORTS_LOCAL | sets(HEALTH_CHECK_NODE_PORT="31234"),
    ),
    "LoadBalancer, source ranges with the node's": (
        BALANCER | {"loadBalancerSourceRanges": ["172.18.0.0/16"]},
        {"10.96.0.1:80": ALL, f"{VIP}:80": ALL, f"{OWN}:30080": ALL},
        ["10.96.0.1", VIP],
        LOOP | LB | NODE_PORTS
        | sets(
            LOAD_BALANCER_FW=f"{VIP},tcp:80",
            LOAD_BALANCER_SOURCE_CIDR=f"{VIP},tcp:80,172.18.0.0/16",
            LOAD_BALANCER_SOURCE_IP=f"{VIP},tcp:80,{VIP}",
        ),
    ),
    "LoadBalancer, source ranges without the node's": (
        BALANCER | LOCAL | STICKY | {"loadBalancerSourceRanges": ["203.0.113.0/24"]},
        {"10.96.0.1:80": ALL, f"{VIP}:80": HERE, f"{OWN}:30080": HERE},
        ["10.96.0.1", VIP],
        LOOP | LB_LOCAL | NODE_PORTS_LOCAL
        | sets(LOAD_BALANCER_FW=f"{VIP},tcp:80", LOAD_BALANCER_SOURCE_CIDR=f"{VIP},tcp:80,203.0.113.0/24"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_service_has_these_virtual_servers_and_entries(one, case):
    spec, servers, addresses, entries = CASES[case]
    plan = one(**spec)
    persistence = " -p 10800" if spec.get("sessionAffinity") else ""
    expected = []
    for address, real in servers.items():
        expected.append(f"-A -t {address} -s rr{persistence}")
        expected += [f"-a -t {address} -r {each} -m -w 1" for each in real]
    assert [line for server in plan.virtual_servers for line in server.lines()] == expected
    assert list(plan.addresses) == addresses
    held = {name: sorted(each.entries) for name, each in plan.sets.items() if each.entries}
    assert held == entries | {"KUBE-CLUSTER-IP": [TO], "KUBE-IPVS-IPS": sorted(addresses)}


def test_udp_and_sctp_node_ports_have_sets_of_their_own(one):
    udp = one(**NODE_PORT, **LOCAL, protocol="UDP")
    assert [list(udp.sets[f"KUBE-NODE-PORT-{kind}"].entries) for kind in ("UDP", "LOCAL-UDP")] == [["30080"]] * 2
    assert udp.virtual_servers[1].lines()[0] == f"-A -u {OWN}:30080 -s rr"
    sctp = one(**NODE_PORT, **LOCAL, protocol="SCTP")
    assert list(sctp.sets["KUBE-NODE-PORT-LOCAL-SCTP-HASH"].entries) == [f"{OWN},sctp:30080"]
    assert sctp.virtual_servers[1].lines()[0] == f"-A --sctp-service {OWN}:30080 -s rr"


@pytest.mark.parametrize("addresses", [("10.0.0.0/8",), ("127.0.0.0/8",)])
def test_without_a_node_address_the_rest_of_a_port_is_left_out(one, addresses):
    plan = one(**BALANCER, **LOCAL, healthCheckNodePort=31234, config={"node_port_addresses": addresses})
    assert [each.address for each in plan.virtual_servers] == ["10.96.0.1", VIP]
    assert not plan.sets["KUBE-NODE-PORT-TCP"].entries and not plan.sets["KUBE-HEALTH-CHECK-NODE-PORT"].entries


def test_the_scheduler_is_the_configured_one(one):
    assert one(config={"ipvs_scheduler": "mh"}, **STICKY).virtual_servers[0].lines()[0] == (
        "-A -t 10.96.0.1:80 -s mh -p 10800 -b mh-port"
    )


def test_an_endpoint_here_may_have_to_reach_itself_ready_or_not(make):
    leaving = make.endpoint("10.180.0.9", node=make.node, ready=False, serving=False)
    plan = compile_plan(make.state([make.service("a", "10.96.0.1")], [make.slice("a", leaving)]), ProxyConfig())
    assert list(plan.sets["KUBE-LOOP-BACK"].entries) == ["10.180.0.9,tcp:80,10.180.0.9"]
    assert plan.virtual_servers[0].real_servers == ()


def test_ports_without_endpoints_here_are_counted_by_service(one):
    plan = one(**NODE_PORT, **LOCAL, **INSIDE, here=False)
    assert plan.without_local_endpoints == {"internal": 1, "external": 1}
    assert one(**NODE_PORT).without_local_endpoints == {"internal": 0, "external": 0}


def test_what_did_not_change_is_taken_from_the_plan_before(make):
    def state(*of_b: str):
        services = [make.service(name, f"10.96.0.{number}") for number, name in enumerate("abc", 1)]
        slices = [make.slice(name, "10.180.0.1") for name in "ac"]
        return make.state(services, [*slices, make.slice("b", *of_b)])

    config = ProxyConfig(cluster_cidr="10.244.0.0/16")
    before, wanted = compile_plan(state("10.180.0.2"), config), state("10.180.0.3", "10.180.0.4")
    a, b, c = before.ports
    after = compile_plan(wanted, config, before=before, changed={b})
    assert plan_text(after) == plan_text(compile_plan(wanted, config))
    assert after.ports[a] is before.ports[a] and after.ports[c] is before.ports[c]
