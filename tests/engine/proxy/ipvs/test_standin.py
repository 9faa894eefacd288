"""The plan as an nft table: what each iptables rule becomes, and what a change changes."""

from __future__ import annotations

import pytest

from kubelab.engine.proxy.ipvs.servers import by_key, with_draining
from kubelab.engine.proxy.ipvs.standin.changes import changes, whole
from kubelab.engine.proxy.ipvs.standin.table import SchedulerError, stand_in
from kubelab.engine.proxy.ipvs.standin.translate import translate

BALANCER = {"type": "LoadBalancer", "node_port": 30080, "vips": ("1.2.3.4",), "externalIPs": ["192.168.9.9"]}
RANGES = {"loadBalancerSourceRanges": ["203.0.113.0/24"]}
TO = "ip daddr . meta l4proto . th dport"


def table(plan):
    return stand_in(plan, plan.virtual_servers)


def texts(script, plan) -> dict[str, list[str]]:
    return {chain: [each.rule for each in rules] for chain, rules in translate(script, plan.sets, "ip").items()}


def test_every_rule_of_the_plan_is_translated(one):
    plan = one(**BALANCER, **RANGES)
    assert texts(plan.nat, plan) == {
        "nat-KUBE-SERVICES": [
            "ip saddr 127.0.0.0/8 return",
            f"{TO} @KUBE-LOAD-BALANCER jump nat-KUBE-LOAD-BALANCER",
            f"{TO} @KUBE-CLUSTER-IP ip saddr != 10.244.0.0/16 jump nat-KUBE-MARK-MASQ",
            f"{TO} @KUBE-EXTERNAL-IP jump nat-KUBE-MARK-MASQ",
            f"{TO} @KUBE-EXTERNAL-IP fib saddr type != local return",
            f"{TO} @KUBE-EXTERNAL-IP fib daddr type local return",
            "fib daddr type local jump nat-KUBE-NODE-PORT",
            f"{TO} @KUBE-CLUSTER-IP return",
            f"{TO} @KUBE-LOAD-BALANCER return",
        ],
        "nat-KUBE-POSTROUTING": [
            f"{TO} . ip saddr @KUBE-LOOP-BACK masquerade",
            "mark and 0x00004000 == 0 return",
            "mark set mark xor 0x00004000",
            "masquerade fully-random",
        ],
        "nat-KUBE-NODE-PORT": ["meta l4proto tcp th dport @KUBE-NODE-PORT-TCP jump nat-KUBE-MARK-MASQ"],
        "nat-KUBE-LOAD-BALANCER": ["jump nat-KUBE-MARK-MASQ"],
        "nat-KUBE-MARK-MASQ": ["mark set mark or 0x00004000"],
    }
    assert texts(plan.filter, plan) == {
        "filter-KUBE-FORWARD": ["mark and 0x00004000 != 0 accept", "ct state related,established accept"],
        "filter-KUBE-NODE-PORT": [
            "meta l4proto { tcp , udp , sctp } th dport @KUBE-HEALTH-CHECK-NODE-PORT accept",
        ],
        "filter-KUBE-PROXY-FIREWALL": [f"{TO} @KUBE-LOAD-BALANCER-FW jump filter-KUBE-SOURCE-RANGES-FIREWALL"],
        "filter-KUBE-SOURCE-RANGES-FIREWALL": [f"{TO} . ip saddr @KUBE-LOAD-BALANCER-SOURCE-CIDR return", "drop"],
        "filter-KUBE-IPVS-FILTER": [
            *(f"{TO} @KUBE-{name} return" for name in ("LOAD-BALANCER", "CLUSTER-IP", "EXTERNAL-IP")),
            f"{TO} @KUBE-EXTERNAL-IP-LOCAL return",
            "meta l4proto { tcp , udp , sctp } th dport @KUBE-HEALTH-CHECK-NODE-PORT return",
            "ct state new ip daddr @KUBE-IPVS-IPS reject",
        ],
        "filter-KUBE-IPVS-OUT-FILTER": ["ip daddr 1.2.3.4 meta l4proto tcp th dport 80 drop"],
    }


def test_comments_stay(one):
    rule = table(one()).chains["nat-KUBE-SERVICES"][1]
    assert rule.endswith('comment "Kubernetes service cluster ip + port for masquerade purpose"')


BY_INTERFACE = {"detect_local_mode": "InterfaceNamePrefix", "interface_name_prefix": "veth"}


@pytest.mark.parametrize("config", [{"cluster_cidr": ""}, BY_INTERFACE])
def test_other_ways_to_tell_local_traffic(one, config):
    plan = one(config=config)
    wanted = "iifname != veth* " if config.get("interface_name_prefix") else ""
    source = "daddr" if wanted else "saddr"
    assert texts(plan.nat, plan)["nat-KUBE-SERVICES"][1] == (
        f"ip {source} . meta l4proto . th dport @KUBE-CLUSTER-IP {wanted}jump nat-KUBE-MARK-MASQ"
    )


@pytest.mark.parametrize(
    ("scheduler", "draw"),
    [("rr", "numgen inc"), ("wrr", "numgen inc"), ("sh", "jhash ip saddr"), ("mh", "jhash ip saddr . th sport")],
)
def test_a_virtual_server_picks_as_its_scheduler_does(one, scheduler, draw):
    (rule,) = table(one(config={"ipvs_scheduler": scheduler})).chains["tcp/10.96.0.1/80"]
    there = "goto tcp/10.96.0.1/80/10.180.0."
    assert rule == f"{draw} mod 2 vmap {{ 0 : {there}1/80 , 1 : {there}2/80 }}"


def test_a_scheduler_that_counts_connections_is_refused(one):
    with pytest.raises(SchedulerError, match="'lc' needs IPVS in the kernel"):
        table(one(config={"ipvs_scheduler": "lc"}))


def test_a_change_touches_only_what_differs(one):
    before, after = table(one(sessionAffinity="ClientIP")), table(one(here=False, sessionAffinity="ClientIP"))
    gone = "tcp/10.96.0.1/80/10.180.0.2/80"
    sync = changes(before, after)
    assert sync.stale == (gone,)
    assert [line for line in sync.lines if not line.startswith("add rule")] == [
        "flush chain ip kubelab-ipvs tcp/10.96.0.1/80",
        "flush chain ip kubelab-ipvs nat-KUBE-POSTROUTING",  # no hairpin here any more
        "delete element ip kubelab-ipvs KUBE-LOOP-BACK { 10.180.0.2 . tcp . 80 . 10.180.0.2 }",
        f"flush chain ip kubelab-ipvs {gone}",
        f"delete set ip kubelab-ipvs persistence-10800-{gone}",
    ]
    assert changes(after, after).lines == ()
    back = changes(after, before, sync.stale)
    assert back.stale == () and f"add chain ip kubelab-ipvs {gone}" in back.lines


def test_who_is_drained_keeps_its_counter_and_is_not_picked(one):
    before, wanted = one(), one(here=False)
    leaving = by_key(before.virtual_servers)[("10.96.0.1", 80, "tcp")].real_servers[1]
    open_ = {(("10.96.0.1", 80, "tcp"), leaving.address, leaving.port): (1, 0)}
    servers = with_draining(by_key(before.virtual_servers), by_key(wanted.virtual_servers), open_)
    sync = changes(table(before), stand_in(wanted, servers.values()))
    assert sync.stale == () and [line for line in sync.lines if "10.180.0.2/80" in line] == []


def test_a_virtual_server_without_real_servers_is_refused(one):
    plan = one(here=False, elsewhere=False)
    assert table(plan).elements["virtual-servers"] == {}
    assert table(plan).elements["virtual-servers-without-real-servers"] == {"10.96.0.1 . tcp . 80": ""}


def test_the_first_transaction_makes_the_table_anew(one):
    lines = whole(table(one())).lines
    assert lines[:2] == ("add table ip kubelab-ipvs", "delete table ip kubelab-ipvs")
    assert not any(line.startswith("delete") for line in lines[2:])
