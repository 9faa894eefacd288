"""Loading: what goes into the kernel, in how many calls, and what happens when it fails."""

from __future__ import annotations

from typing import Any

import pytest

from kubelab.engine.proxy.backend import LoadError
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.family import FULL_SYNC_SECONDS, FamilyProxy
from kubelab.engine.proxy.iptables import compile_rules
from kubelab.engine.proxy.iptables_backend import IptablesBackend
from kubelab.engine.proxy.jumps import Jump, Owned, missing_jumps, removal
from kubelab.engine.proxy.loader import blocks
from kubelab.engine.proxy.script import transaction
from kubelab.engine.proxy.state import ProxyState
from kubelab.rules import Ruleset

CONFIG = ProxyConfig(cluster_cidr="10.244.0.0/16")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def proxy(kernel, clock, make) -> FamilyProxy:
    return FamilyProxy(kernel.run, CONFIG, 4, make.node, now=clock)


def fresh(node: NodeView, services, slices) -> str:
    """The kernel after one full load from nothing."""
    rules = Ruleset()
    rules.restore(missing_jumps("") + compile_rules(ProxyState.of(node, services, slices), CONFIG).text())
    return rules.save()


@pytest.fixture
def sync(proxy, make):
    node = NodeView(make.node, (make.node_ip,))

    seen: dict[Any, dict[str, Any]] = {}

    async def sync(services, slices):
        for note, objects in ((proxy.tracker.note_service, services), (proxy.tracker.note_slice, slices)):
            now = {each["metadata"]["name"]: each for each in objects}
            before, seen[note] = seen.get(note, {}), now
            for name in before | now:
                note(before.get(name), now.get(name))
        await proxy.sync(node)
        return fresh(node, services, slices)

    return sync


async def test_a_full_sync_takes_two_calls_and_orders_the_jumps_as_kube_proxy_does(kernel, sync, make):
    await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])
    assert kernel.calls == [["iptables-save"], ["iptables-restore", "-w", "5", "--noflush", "--counters"]]

    def jumps(table, chain):
        return [rule.target.name for rule in kernel.rules.chain(table, chain).rules]

    assert jumps("filter", "INPUT") == [
        "KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES",
    ]  # fmt: skip
    assert jumps("filter", "FORWARD") == [
        "KUBE-PROXY-FIREWALL", "KUBE-FORWARD", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES",
    ]  # fmt: skip
    assert jumps("filter", "OUTPUT") == ["KUBE-FIREWALL", "KUBE-PROXY-FIREWALL", "KUBE-SERVICES"]
    assert jumps("nat", "PREROUTING") == jumps("nat", "OUTPUT") == ["KUBE-SERVICES"]
    assert jumps("nat", "POSTROUTING") == ["KUBE-POSTROUTING"]
    assert all(kernel.rules.chain(table, "KUBE-PROXY-CANARY") for table in ("mangle", "nat", "filter"))


async def test_a_change_is_loaded_alone_and_leads_to_the_same_kernel(kernel, sync, proxy, make):
    services = [make.service(f"svc{n}", f"10.96.1.{n}") for n in range(4)]
    slices = [make.slice(f"svc{n}", f"10.0.0.{n}", f"10.0.1.{n}") for n in range(4)]
    await sync(services, slices)
    slices[2] = make.slice("svc2", "10.0.0.2", "10.0.7.7", "10.0.8.8")
    want = await sync([*services[1:], make.service("new", "10.96.9.9")], slices)
    assert kernel.rules.save() == want, "stale chains are gone, the rest is as if loaded afresh"
    assert proxy.metrics.value("kubeproxy_sync_partial_proxy_rules_duration_seconds") == 1
    assert kernel.calls[2] == ["iptables-save", "-t", "nat"]


async def test_a_change_that_comes_while_another_of_the_same_port_is_loaded_is_not_lost(kernel, sync, proxy, make):
    services, slices = [make.service("svc", "10.96.1.1")], [make.slice("svc", "10.0.0.1")]
    await sync(services, slices)
    second, third = make.slice("svc", "10.0.0.2"), make.slice("svc", "10.0.0.3")
    run = proxy.backend.loader._run

    async def and_meanwhile(argv, stdin):
        if argv[0] == "iptables-restore":
            proxy.backend.loader._run = run
            proxy.tracker.note_slice(second, third)
        return await run(argv, stdin)

    proxy.backend.loader._run = and_meanwhile
    await sync(services, [second])
    await proxy.sync(proxy.loaded.node)
    assert kernel.rules.save() == fresh(proxy.loaded.node, services, [third])


async def test_what_changes_nothing_starts_nothing(kernel, sync, make):
    await sync([make.service("svc1", "10.96.0.41")], [])
    calls = len(kernel.calls)
    await sync([make.service("svc1", "10.96.0.41")], [])
    assert len(kernel.calls) == calls


async def test_after_a_failed_partial_sync_everything_is_loaded(kernel, sync, proxy, make):
    await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])
    kernel.broken = "line 7 failed"
    with pytest.raises(LoadError, match="iptables-restore ended with code 1: line 7 failed"):
        await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.2")])
    kernel.broken = ""
    want = await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.2")])
    assert kernel.rules.save() == want
    assert proxy.metrics.value("kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total") == 1


async def test_everything_is_loaded_again_after_an_hour_and_when_the_node_moves(kernel, proxy, clock, make):
    node = NodeView(make.node, (make.node_ip,))
    await proxy.sync(node)
    for change in ("time", "zone"):
        before = proxy.metrics.value("kubeproxy_sync_full_proxy_rules_duration_seconds")
        if change == "time":
            clock.now += FULL_SYNC_SECONDS + 1
        else:
            node = NodeView(make.node, (make.node_ip,), zone="a")
        await proxy.sync(node)
        assert proxy.metrics.value("kubeproxy_sync_full_proxy_rules_duration_seconds") == before + 1


async def test_a_flush_is_seen_by_the_canary_and_mended(kernel, sync, proxy, make):
    want = await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])
    assert not await proxy.backend.loader.canary_gone()
    kernel.rules.tables.clear()
    assert await proxy.backend.loader.canary_gone()
    proxy.forget()
    await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])
    assert kernel.rules.save() == want


async def test_rules_of_the_learner_in_built_in_chains_stay(kernel, sync, make):
    kernel.rules.restore("*filter\n-A INPUT -p tcp -m tcp --dport 9 -j DROP\nCOMMIT\n")
    await sync([make.service("svc1", "10.96.0.41")], [])
    await sync([], [])
    assert kernel.rules.chain("filter", "INPUT").rules[-1].target.name == "DROP"


async def test_what_does_not_fit_into_one_transaction_goes_in_by_several(kernel, sync, proxy, make):
    kernel.longest = 200
    services = [make.service(f"svc{n}", f"10.96.1.{n}") for n in range(60)]
    slices = [make.slice(f"svc{n}", *(f"10.0.{e}.{n}" for e in range(3))) for n in range(60)]
    assert await sync(services, slices) == kernel.rules.save()
    assert proxy.backend.loader.confined
    assert await sync(services[:10], slices[:10]) == kernel.rules.save()


async def test_a_shared_chain_too_long_for_one_transaction_is_never_empty(kernel, sync, proxy, make):
    kernel.longest = 50
    services = [make.service(f"svc{n}", f"10.96.1.{n}") for n in range(60)]
    slices = [make.slice(f"svc{n}", f"10.0.0.{n}") for n in range(60)]
    want = await sync(services, slices)
    seen = []

    def look(text: str) -> None:
        seen.append("-A KUBE-SERVICES -d 10.96.1.59/32 " in kernel.rules.save("nat"))

    kernel.watch = look
    proxy.forget()
    assert await sync(services, slices) == kernel.rules.save() == want
    assert len(seen) > 3 and all(seen)


def test_in_several_transactions_a_chain_is_there_before_it_is_jumped_to(make):
    services = [make.service(f"svc{n}", f"10.96.1.{n}", type="NodePort", node_port=30000 + n) for n in range(4)]
    slices = [make.slice(f"svc{n}", f"10.0.0.{n}", f"10.0.1.{n}") for n in range(4)]
    compiled = make.compiled(services, slices)
    rules = Ruleset()
    rules.restore(missing_jumps(""))
    for script in (compiled.filter, compiled.nat):
        for block in blocks(script):
            rules.restore(transaction(script.table, block))
    assert rules.save() == fresh(NodeView(make.node, (make.node_ip,)), services, slices)


async def test_udp_flows_to_an_endpoint_that_is_gone_are_forgotten(kernel, sync, make):
    service = make.service("dns", "10.96.0.10", port=53, protocol="UDP")

    def endpoints(*ips):
        return [make.slice("dns", *ips, port=53, protocol="UDP")]

    await sync([service], endpoints("10.244.0.2", "10.244.0.3"))
    for number, (asked, answers) in enumerate(
        [("10.96.0.10", "10.244.0.2"), ("10.96.0.10", "10.244.0.3"), ("8.8.8.8", "8.8.8.8")], 5000
    ):
        there = f"src=10.244.1.2 dst={asked} sport={number} dport=53"
        back = f"src={answers} dst=10.244.1.2 sport=53 dport={number}"
        kernel.flows += f"udp      17 29 {there} [UNREPLIED] {back} mark=0 use=1\n".encode()
    service["spec"]["externalIPs"] = ["192.0.2.1"]
    await sync([service], endpoints("10.244.0.2", "10.244.0.3"))
    assert kernel.count("conntrack") == 0, "a Service that changes leaves flows alone"
    await sync([service], endpoints("10.244.0.3"))
    deletions = [call for call in kernel.calls if call[:2] == ["conntrack", "-D"]]
    assert deletions == [
        ["conntrack", "-D", "-f", "ipv4", "-p", "udp", "-d", "10.96.0.10", "--orig-port-dst", "53", "-r", "10.244.0.2"]
    ]


async def test_after_a_change_of_one_udp_services_endpoints_the_flows_of_all_are_looked_at(kernel, sync, make):
    services = [make.service(name, ip, port=53, protocol="UDP", type="NodePort", node_port=port)
                for name, ip, port in (("a", "10.96.0.10", 30053), ("b", "10.96.0.11", 30054))]  # fmt: skip
    slices = [make.slice("a", "10.244.0.2", port=53, protocol="UDP", name="a")]
    await sync(services, [*slices, make.slice("b", "10.244.0.3", port=53, protocol="UDP", name="b")])
    kernel.flows = (
        b"udp 17 29 src=1.2.3.4 dst=172.18.0.3 sport=9 dport=30053 src=10.244.0.9 dst=1.2.3.4 sport=53 dport=9 use=1\n"
    )
    await sync(services, [*slices, make.slice("b", "10.244.0.4", port=53, protocol="UDP", name="b")])
    (deletion,) = (call for call in kernel.calls if call[:2] == ["conntrack", "-D"])
    assert deletion[6:] == ["-d", "172.18.0.3", "--orig-port-dst", "30053", "-r", "10.244.0.9"]


async def test_tcp_flows_are_never_looked_at(kernel, sync, make):
    await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])
    await sync([make.service("svc1", "10.96.0.41")], [])
    assert kernel.count("conntrack") == 0


async def test_a_switch_loads_the_new_mode_and_leaves_nothing_of_the_old_one_but_what_is_not_its_own(
    kernel, sync, proxy, make
):
    kernel.rules.restore("*filter\n-A INPUT -p tcp -m tcp --dport 9 -j DROP\nCOMMIT\n*nat\n:MINE - [0:0]\nCOMMIT\n")
    before = kernel.rules.save()
    await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])
    loaded = []

    class Other(IptablesBackend):
        mode = "nftables"
        owned = Owned()

        async def sync(self, state, changed):
            assert changed is None and "KUBE-SERVICES" in kernel.rules.save(), "the old rules still serve"
            loaded.append(state)
            return {}

    await proxy.switch(Other)
    assert proxy.backend.mode == "nftables" and proxy.loaded is loaded[0]
    empty = Ruleset()
    empty.restore("*mangle\nCOMMIT\n")
    assert set(kernel.rules.save().splitlines()) == {*before.splitlines(), *empty.save().splitlines()}


async def test_a_mode_that_cannot_be_loaded_leaves_the_one_there_was(kernel, sync, proxy, make):
    want = await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])

    class Broken(IptablesBackend):
        mode = "nftables"
        cleaned = False

        async def sync(self, state, changed):
            raise LoadError("mode nftables needs the program nft")

        async def clean_up(self, keep):
            assert keep == IptablesBackend.owned
            Broken.cleaned = True

    with pytest.raises(LoadError, match="needs the program nft"):
        await proxy.switch(Broken)
    assert proxy.backend.mode == "iptables" and Broken.cleaned
    await sync([make.service("svc1", "10.96.0.41")], [make.slice("svc1", "10.180.0.1")])
    assert kernel.rules.save() == want


def test_what_two_modes_share_stays_with_the_one_that_serves():
    shared = Jump("nat", "OUTPUT", "KUBE-SERVICES", "", "kubernetes service portals")
    other = Owned((shared,), frozenset({("nat", "KUBE-SERVICES"), ("nat", "KUBE-MARK-MASQ")}))
    rules = Ruleset()
    rules.restore(missing_jumps(""))
    rules.restore(removal(rules.save(), IptablesBackend.owned, keep=other))
    assert '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES' in rules.save("nat")
    assert "PREROUTING -m" not in rules.save("nat") and "CANARY" not in rules.save()
    assert removal(rules.save(), IptablesBackend.owned, keep=other) == ""
