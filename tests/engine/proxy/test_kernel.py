"""Compiled rules in the machine's kernel: it takes them, and shows what the rule model says it shows."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.iptables import compile_rules
from kubelab.engine.proxy.iptables_difference import difference
from kubelab.engine.proxy.jumps import missing_jumps, nat_chains
from kubelab.engine.proxy.loader import blocks
from kubelab.engine.proxy.script import transaction
from kubelab.engine.proxy.state import ProxyState
from kubelab.rules import Ruleset, parse
from tests.engine.proxy.random_cluster import random_cluster


def in_a_namespace(script: str, stdin: str) -> str:
    """The output of a shell script in a fresh network namespace."""
    if not shutil.which("iptables-restore") or not shutil.which("unshare"):
        pytest.skip("iptables-restore or unshare is not installed")
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
    done = subprocess.run([*unshare, "sh", "-c", script], input=stdin, text=True, capture_output=True, timeout=50)
    if "unshare" in done.stderr or "Could not fetch rule set" in done.stderr:
        pytest.skip(f"no network namespace or no iptables in it: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if not line.startswith("#"))


@pytest.fixture
def every_kind(make):
    local = make.endpoint("10.180.0.5", node=make.node)
    services = [
        make.service("cluster", "10.96.0.1"),
        make.service("affine", "10.96.0.2", sessionAffinity="ClientIP"),
        make.service("none", "10.96.0.3", type="NodePort", node_port=30003, externalIPs=["192.168.9.3"]),
        make.service("udp", "10.96.0.4", port=53, port_name="", protocol="UDP"),
        make.service("sctp", "10.96.0.5", protocol="SCTP"),
        make.service("inside", "10.96.0.6", internalTrafficPolicy="Local"),
        make.service(
            "lb", "10.96.0.7", type="LoadBalancer", node_port=30007, vips=("1.2.3.4",),
            loadBalancerSourceRanges=["172.18.0.0/16"],
        ),
        make.service(
            "local", "10.96.0.8", type="LoadBalancer", node_port=30008, vips=("1.2.3.5",),
            externalTrafficPolicy="Local", healthCheckNodePort=30500,
        ),
    ]  # fmt: skip
    slices = [
        make.slice("cluster", *(f"10.180.1.{n}" for n in range(1, 8))),
        make.slice("affine", "10.180.0.1", "10.180.0.2"),
        make.slice("udp", "10.180.0.1", port=5353, port_name="", protocol="UDP"),
        make.slice("sctp", "10.180.0.1", protocol="SCTP"),
        make.slice("inside", local, "10.180.0.6"),
        make.slice("lb", "10.180.0.1"),
        make.slice("local", local, "10.180.0.6"),
    ]
    return make.compiled(services, slices)


def test_the_kernel_shows_what_the_model_shows(every_kind):
    text = missing_jumps("") + every_kind.text()
    shown = in_a_namespace("iptables-restore -w 5 --noflush --counters && iptables-save", text)
    rules = Ruleset()
    rules.restore(text)
    assert rules.save() == shown
    assert missing_jumps(shown) == "", "what was loaded is recognised"
    assert parse(shown).save() == shown


def test_loading_again_changes_nothing(every_kind):
    first = missing_jumps("") + every_kind.text()
    once = in_a_namespace("iptables-restore --noflush && iptables-save", first)
    assert in_a_namespace("iptables-restore --noflush && iptables-save", first + every_kind.text()) == once


def test_in_several_transactions_the_kernel_ends_up_the_same(every_kind):
    whole = in_a_namespace("iptables-restore --noflush && iptables-save", missing_jumps("") + every_kind.text())
    scripts = (every_kind.filter, every_kind.nat)
    parts = "".join(transaction(script.table, block) for script in scripts for block in blocks(script))
    parts = missing_jumps("") + parts
    assert in_a_namespace("iptables-restore --noflush && iptables-save", parts) == whole


@pytest.mark.parametrize("seed", range(8))
def test_a_cluster_at_random_and_a_change_of_it_are_in_the_kernel_as_in_the_model(seed, make):
    node, config = NodeView(make.node, (make.node_ip,), zone="a"), ProxyConfig(cluster_cidr="10.244.0.0/16")
    services, slices = random_cluster(seed, services=4)
    before = ProxyState.of(node, services, slices)
    after = ProxyState.of(node, services[seed % 2 :: 2], slices[::2])
    rules = Ruleset()
    rules.restore(first := missing_jumps("") + compile_rules(before, config).text())
    existing = nat_chains(rules.save())
    changed = compile_rules(after, config, existing_chains=existing, changed=make.changed_ports(before, after))
    whole = parse(rules.save())
    rules.restore(changed.text())
    assert in_a_namespace("iptables-restore --noflush && iptables-save", first + changed.text()) == rules.save()
    whole.restore(compile_rules(after, config, existing_chains=existing).text())
    assert sorted(whole.save().splitlines()) == sorted(rules.save().splitlines()), "a partial sync is as good as a full"


@pytest.mark.parametrize("seed", range(4))
def test_single_rules_lead_to_the_same_kernel_as_whole_chains(seed, make):
    node, config = NodeView(make.node, (make.node_ip,), zone="a"), ProxyConfig(cluster_cidr="10.244.0.0/16")
    services, slices = random_cluster(seed, services=8)
    state = ProxyState.of(node, services[::2], slices[::2])
    after = ProxyState.of(node, services[1:], slices[::3])
    compiled = compile_rules(state, config)
    changed = compile_rules(after, config, changed=make.changed_ports(state, after), before=compiled)
    steps = difference(compiled, changed)
    texts = [transaction(script.table, block) for script in steps for block in blocks(script)]
    rules, load = Ruleset(), "iptables-restore --noflush && iptables-save"
    want = in_a_namespace(load, missing_jumps("") + compile_rules(after, config).text())
    loaded = missing_jumps("") + compiled.text()
    assert in_a_namespace(load, loaded + "".join(texts)) == want
    for text in (loaded, *texts):
        rules.restore(text)
    assert rules.save() == want


def test_what_is_the_same_is_not_written(make):
    before = make.state([make.service("a", "10.96.0.1")], [make.slice("a", "10.0.0.1", "10.0.0.2")])
    after = make.state([make.service("a", "10.96.0.1")], [make.slice("a", "10.0.0.1", "10.0.0.3")])
    compiled = compile_rules(before, ProxyConfig())
    changed = make.changed_ports(before, after)
    filter_, nat = difference(compiled, compile_rules(after, ProxyConfig(), changed=changed, before=compiled))
    assert filter_.text() == ""
    assert [chain[:9] for chain in nat.chains] == ["KUBE-SVC-", "KUBE-SEP-", "KUBE-SEP-", "KUBE-SEP-"]
    assert len(nat.deletions) == 1
