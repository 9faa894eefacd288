"""Transactions after the first: only what changed."""

from __future__ import annotations

import json

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.nftables import Listing, changes, compile_table, delete_chains, first_sync, sync

A = "add element ip kube-proxy"


@pytest.fixture
def table(make):
    """A table of Services by name and what they have beside their cluster IP."""

    def build(services: dict[str, list[str]], cidrs: tuple[str, ...] = (), **spec):
        made = [make.service(name, f"10.96.0.{ord(name)}", **spec) for name in services]
        slices = [make.slice(name, *ips) for name, ips in services.items()]
        return compile_table(make.state(made, slices), ProxyConfig(cluster_cidr="10.244.0.0/16"), cidrs)

    return build


def test_without_a_change_there_is_nothing_to_do(table):
    one = table({"a": ["10.180.0.1"], "b": []})
    assert changes(one, one).lines == () and changes(one, one).text == ""


def test_a_new_endpoint_rewrites_the_chains_of_its_service_only(table):
    before = table({"a": ["10.180.0.1"], "b": ["10.180.0.2"]})
    after = table({"a": ["10.180.0.1", "10.180.0.3"], "b": ["10.180.0.2"]})
    change = changes(before, after)
    chain = next(name for name in after.chains if name.endswith("ns1/a/tcp/p80"))
    assert list(change.lines) == [
        f"add chain ip kube-proxy {chain}",
        f"flush chain ip kube-proxy {chain}",
        f"add rule ip kube-proxy {chain} meta l4proto tcp dnat ip addr . port to numgen random mod 2"
        " map { 0 : 10.180.0.1 . 80 , 1 : 10.180.0.3 . 80 }",
    ]
    assert change.stale == ()


def test_the_last_endpoint_takes_the_element_and_leaves_a_stale_chain(table):
    before, after = table({"a": ["10.180.0.1"]}), table({"a": []})
    change = changes(before, after)
    (chain,) = change.stale
    assert list(change.lines) == [
        A + ' no-endpoint-services { 10.96.0.97 . tcp . 80 comment "ns1/a:p80" : goto reject-chain }',
        f"flush chain ip kube-proxy {chain}",
        "delete element ip kube-proxy service-ips { 10.96.0.97 . tcp . 80 }",
    ]
    assert delete_chains(4, change.stale) == f"delete chain ip kube-proxy {chain}\n"
    assert changes(after, after, also=[chain]).lines == (f"flush chain ip kube-proxy {chain}",)
    assert changes(after, before, also=[chain]).stale == (), "what is needed again is not stale"


def test_a_changed_value_is_deleted_and_added(table):
    before, after = table({"a": []}), table({"a": ["10.180.0.1"]}, internalTrafficPolicy="Local")
    assert list(changes(before, after).lines) == [
        "delete element ip kube-proxy no-endpoint-services { 10.96.0.97 . tcp . 80 }",
        A + ' no-endpoint-services { 10.96.0.97 . tcp . 80 comment "ns1/a:p80" : drop }',
    ]


def test_sets_of_clients_go_with_their_endpoints(table):
    before = table({"a": ["10.180.0.1", "10.180.0.2"]}, sessionAffinity="ClientIP")
    after = table({"a": ["10.180.0.1"]}, sessionAffinity="ClientIP")
    change = changes(before, after)
    (chain,) = change.stale
    gone = f"delete set ip kube-proxy {chain.replace('endpoint-', 'affinity-')}"
    assert change.lines.index(f"flush chain ip kube-proxy {chain}") < change.lines.index(gone)
    assert sum(line.startswith("delete set") for line in change.lines) == 1


def test_new_service_cidrs_rewrite_what_is_shared_and_nothing_else(table):
    services = {"a": ["10.180.0.1"]}
    change = changes(table(services), table(services, ("10.96.0.0/16",)))
    assert "ip daddr { 10.96.0.0/16 } drop" in change.text and "ns1/a" not in change.text
    assert not any(line.startswith("delete chain") for line in change.lines), "base chains stay as they are"


def test_a_full_sync_writes_everything_but_the_elements_that_are_there(table):
    one = table({"a": ["10.180.0.1"], "b": []})
    again = sync(one, Listing.of(one))
    assert not any("element" in line for line in again.lines if "nodeport-ips" not in line)
    assert [line for line in first_sync(one).lines if line in again.lines] == list(again.lines)


def test_the_first_sync_sweeps_up_what_an_earlier_life_left(table):
    before, after = table({"a": ["10.180.0.1"], "b": ["10.180.0.2"]}), table({"a": ["10.180.0.1"]})
    first = first_sync(after, Listing.of(before))
    assert [chain.split("-", 2)[2] for chain in first.stale] == ["ns1/b/tcp/p80"]
    assert first.lines[-2:] == (
        "delete element ip kube-proxy cluster-ips { 10.96.0.98 }",
        "delete element ip kube-proxy service-ips { 10.96.0.98 . tcp . 80 }",
    )


def test_a_listing_is_read_from_json():
    listed = {
        "nftables": [
            {"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "ip", "name": "kube-proxy"}},
            {"set": {"name": "cluster-ips", "elem": ["10.96.0.1"]}},
            {"set": {"name": "affinity-X", "elem": [{"elem": {"val": "10.244.1.2", "expires": 10799}}]}},
            {
                "map": {
                    "name": "no-endpoint-services",
                    "elem": [
                        [{"elem": {"val": {"concat": ["10.96.0.1", "tcp", 80]}, "comment": "a"}}, {"drop": None}],
                        [{"concat": ["10.96.0.2", "tcp", 80]}, {"goto": {"target": "reject-chain"}}],
                    ],
                }
            },
            {"chain": {"name": "services"}},
            {"rule": {"chain": "services", "expr": []}},
        ]
    }
    listing = Listing.read(json.dumps(listed))
    assert listing.chains == {"services"} and listing.sets == {"cluster-ips", "affinity-X"}
    assert listing.elements == {
        "cluster-ips": {"10.96.0.1": ""},
        "affinity-X": {"10.244.1.2": ""},
        "no-endpoint-services": {"10.96.0.1 . tcp . 80": "drop", "10.96.0.2 . tcp . 80": "goto reject-chain"},
    }
    assert Listing.read("") == Listing()


def test_ports_that_stay_the_same_are_not_compiled_again(make):
    def state(*ips: str):
        services = [make.service("a", "10.96.0.1"), make.service("b", "10.96.0.2", internalTrafficPolicy="Local")]
        return make.state(services, [make.slice("a", *ips), make.slice("b", "10.180.0.9")])

    first = compile_table(state("10.180.0.1"), ProxyConfig())
    changed = make.changed_ports(first.state, state("10.180.0.1", "10.180.0.2"))
    later = compile_table(state("10.180.0.1", "10.180.0.2"), ProxyConfig(), before=first, changed=changed)
    (a, b), (a_later, b_later) = first.ports.values(), later.ports.values()
    assert b_later is b and a_later != a
    assert later == compile_table(state("10.180.0.1", "10.180.0.2"), ProxyConfig())
    assert later.without_local_endpoints == {"internal": 1, "external": 0}


def test_several_transactions_are_the_same_as_one_and_cut_no_port(table):
    first = first_sync(table({name: ["10.180.0.1"] for name in "abcdefgh"}))
    shared = sum(len(line) + 1 for line in first.blocks[0])
    pieces = first.transactions(longest=shared)
    assert "".join(pieces) == first.text and first.transactions(longest=10**6) == [first.text]
    assert len(pieces) == 2 and len(pieces[0]) == shared
    few = first.transactions(longest=1000)[-2:]
    assert all(sum(f"ns1/{name}/" in piece for piece in few) < 2 for name in "abcdefgh")
    assert first.transactions(longest=1) == [f"{line}\n" for line in first.lines]
