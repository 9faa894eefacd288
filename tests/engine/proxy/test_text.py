from __future__ import annotations

import pytest

from kubelab.engine.proxy import rules_text


def test_nftables_rules_come_for_both_families(make):
    objects = {
        "services": [make.service("svc1", "10.96.0.41", type="NodePort", node_port=30001)],
        "endpointslices": [make.slice("svc1", "10.180.0.1")],
        "nodes": [
            {
                "metadata": {"name": make.node},
                "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]},
            }
        ],
        "servicecidrs": [{"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/16"]}}],
    }
    lines = rules_text("nftables", make.node, objects, "10.244.0.0/16").splitlines()
    assert lines[0] == 'add table ip kube-proxy { comment "rules for kube-proxy" ; }'
    assert 'add table ip6 kube-proxy { comment "rules for kube-proxy" ; }' in lines
    for line in (
        "add element ip kube-proxy nodeport-ips { 172.18.0.3 }",
        "add rule ip kube-proxy cluster-ips-check ip daddr { 10.96.0.0/16 } drop"
        ' comment "Drop traffic to unallocated ClusterIPs"',
        "add element ip kube-proxy service-nodeports { tcp . 30001 : goto external-ULMVA6XW-ns1/svc1/tcp/p80 }",
        "delete set ip6 kube-proxy nodeport-ips",
    ):
        assert line in lines


def test_iptables_rules_of_ipv6_follow_where_a_service_has_an_address_of_it(make):
    service = make.service("svc1", "10.96.0.41")
    assert "ip6tables" not in rules_text("iptables", make.node, {"services": [service]})
    service["spec"] |= {"clusterIPs": ["10.96.0.41", "fd00:10:96::29"], "ipFamilies": ["IPv4", "IPv6"]}
    ipv4, ipv6 = rules_text("iptables", make.node, {"services": [service]}).split("# ip6tables-restore\n")
    assert "-d 10.96.0.41 " in ipv4 and "-d fd00:10:96::29 " in ipv6 and ipv6.startswith("*filter\n")


def test_a_range_that_is_none_is_refused(make):
    with pytest.raises(ValueError, match=r"'10.244.0.0' is not a range of addresses"):
        rules_text("iptables", make.node, {}, "10.244.0.0")
    with pytest.raises(ValueError, match=r"'everything' is not a range"):
        rules_text("nftables", make.node, {"servicecidrs": [{"spec": {"cidrs": ["everything"]}}]})
