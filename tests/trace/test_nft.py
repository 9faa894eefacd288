"""nftables listings, in words and as JSON: kube-proxy's table of 1.36, and other tools' beside it."""

from __future__ import annotations

import pytest

from kubelab.rules.nft.printing import print_rule
from kubelab.rules.nft.syntax import read_rule
from kubelab.trace import trace

KINDNET = """table inet kindnet-ipmasq {
	set noMasqV4 {
		type ipv4_addr
		flags interval
		elements = { 10.96.0.0/16, 10.244.0.0/16 }
	}

	chain postrouting {
		type nat hook postrouting priority srcnat - 10; policy accept;
		ct state established,related accept
		fib saddr type local counter packets 0 bytes 0 return
		ip saddr @noMasqV4 ip daddr @noMasqV4 accept
		oifname { "eth0", "eth1" } tcp dport != { 22, 8000-9000 } counter packets 3 bytes 180 masquerade
	}
}
"""


@pytest.fixture(params=["worker.nft", "worker.nft.json"])
def nft(request, changed, listing):
    return changed("kubelab-worker", iptables="", nft=listing(request.param))


def test_words_and_json_give_the_same_trace(changed, listing):
    words, as_json = (
        trace(changed("kubelab-worker", iptables="", nft=listing(name)), "web-a", "10.96.0.24", 80)
        for name in ("worker.nft", "worker.nft.json")
    )
    assert words.text() == as_json.text()


def test_numgen_gives_every_endpoint_its_share(nft):
    found = trace(nft, "single", "10.96.0.20", 80)
    assert [outcome.place for outcome in found] == ["default/web-a", "default/web-b", "default/web-c"]
    assert [outcome.probability for outcome in found] == pytest.approx([1 / 3] * 3)
    assert trace(nft, "single", "10.96.0.20", 80, draw=0.5).only().place == "default/web-b"


def test_a_verdict_map_leads_to_the_services_chain(nft):
    hops = trace(nft, "single", "10.96.0.20", 80)[0].rules
    assert [hop.where for hop in hops if hop.did.startswith(("goto", "dnat"))] == [
        "ip kube-proxy services 2",
        "ip kube-proxy service-AAAAAAAA-default/web/tcp/ 1",
    ]


def test_node_ports_masquerade_by_policy(nft):
    assert trace(nft, "outside", "172.18.0.3", 30080, draw=0.0).only().received.source == "10.244.1.1"
    assert trace(nft, "outside", "172.18.0.3", 30081).only().received.source == "172.18.0.1"


def test_hairpin_is_masqueraded_by_the_set(nft):
    assert trace(nft, "single", "10.96.0.27", 80).only().masqueraded


@pytest.mark.parametrize(
    ("source", "to", "kind", "sentence"),
    [
        ("single", "10.96.0.23:80", "rejected", "reject-chain"),
        ("outside", "172.18.0.3:30083", "rejected", "reject-chain"),
        ("single", "10.96.0.20:81", "rejected", "Reject traffic to invalid ports of ClusterIPs"),
        ("single", "10.96.9.9:80", "dropped", "Drop traffic to unallocated ClusterIPs"),
        ("single", "172.18.255.1:80", "dropped", "firewall-FFFFFFFF-default/web-lb/tcp/"),
    ],
)
def test_what_is_refused_says_by_which_rule(nft, source, to, kind, sentence):
    found = trace(nft, source, to).only()
    assert found.kind == kind and sentence in found.reason


def test_affinity_is_read_from_the_sets(nft):
    assert trace(nft, "single", "10.96.0.22", 80).only().place == "default/web-c"
    assert len(trace(nft, "web-b", "10.96.0.22", 80)) == 2
    assert trace(nft, "web-b", "10.96.0.22", 80, remembered="10.244.1.2:8080").only().place == "default/web-a"


def test_another_tools_table_is_walked_beside(changed, listing):
    cluster = changed("kubelab-worker", iptables="", nft=listing("worker.nft") + KINDNET)
    assert not trace(cluster, "web-a", "default/client", 80).only().masqueraded
    away = trace(cluster, "web-a", "203.0.113.5", 443).only()
    assert away.masqueraded and away.hops[-1].where == "inet kindnet-ipmasq postrouting 4"
    assert not trace(cluster, "web-a", "203.0.113.5", 8443).only().masqueraded


def test_what_nft_does_not_show_of_iptables_is_in_doubt(changed):
    table = (
        "table ip nat {\n\tchain PREROUTING {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
        '\t\tmeta l4proto tcp xt match "owner" drop\n\t}\n}\n'
    )
    alone = trace(changed("kubelab-worker", iptables="", nft=table), "web-a", "10.244.1.4", 8080)
    assert [outcome.kind for outcome in alone] == ["dropped", "delivered"]
    beside = trace(changed("kubelab-worker", nft=table), "web-a", "10.244.1.4", 8080)
    assert beside.certain  # iptables-save tells what that table holds


def test_a_map_that_is_missing_is_in_doubt(changed, listing):
    cut = listing("worker.nft").replace("map service-ips {", "map something-else {")
    found = trace(changed("kubelab-worker", iptables="", nft=cut), "single", "10.96.0.20", 80)
    assert not found.certain and "map @service-ips is missing" in found[0].assumptions[0]


@pytest.mark.parametrize(
    "rule",
    [
        "meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random",
        "ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections accept",
        "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }",
        "update @affinity { ip saddr }",
        'oifname "eth0" tcp dport != { 22, 8000-9000 } drop',
        "ct state established,related accept",
        "dnat to 10.244.1.2:8080",
        "dnat to [fd00::1]:80",
        "fib saddr type local goto service",
        "reject with tcp reset",
    ],
)
def test_a_rule_from_json_reads_as_listed(rule):
    assert print_rule(*read_rule(rule)) == rule
