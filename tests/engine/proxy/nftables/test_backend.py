"""What ``nft`` is fed, and when; it is one of paper."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from kubelab.engine.metrics import Metrics
from kubelab.engine.proxy.backend import LoadError, Setting
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.nftables.backend import NftablesBackend

LIST = ["nft", "--json", "list", "table", "ip", "kube-proxy"]
FEED = ["nft", "-f", "-"]


class Done(NamedTuple):
    code: int
    stdout: bytes = b""
    stderr: bytes = b""


class Nft:
    """Remembers what it was fed; ``refuses`` names a text that no transaction may have."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fed: list[str] = []
        self.installed = True
        self.table: dict[str, Any] | None = None
        self.refuses = ""
        self.longest = 10**6

    async def run(self, argv, stdin):
        self.calls.append(list(argv))
        if not self.installed:
            return Done(127, b"", b"nft: not found\n")
        if "list" in argv:
            if argv[-1] == "kube-proxy" and self.table is None:
                return Done(1, b"", b"Error: No such file or directory\n")
            return Done(0, json.dumps(self.table).encode() if "--json" in argv else self.tables())
        text = stdin.decode()
        if self.refuses and self.refuses in text:
            return Done(1, b"", b"Error: Could not process rule: Device or resource busy\n")
        if len(text) > self.longest:
            return Done(1, b"", b"netlink: Error: Could not process rule: Message too long\n")
        self.fed.append(text)
        return Done(0)

    def tables(self) -> bytes:
        return b"" if self.table is None else b"table ip kube-proxy {\n}\n"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def nft() -> Nft:
    return Nft()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def backend(nft, clock, metrics) -> NftablesBackend:
    config = ProxyConfig(cluster_cidr="10.244.0.0/16", service_cidrs=("10.96.0.0/16",))
    return NftablesBackend(Setting(nft.run, config, 4, metrics, clock))


@pytest.fixture
def sync(backend, make):
    """Brings Services by name, each with its endpoints, into the kernel; ``full`` forgets what is there."""
    before = make.state([])

    async def run(full: bool = False, **services: list[str]):
        nonlocal before
        given = [make.service(name, f"10.96.0.{ord(name)}") for name in services]
        after = make.state(given, [make.slice(name, *ips) for name, ips in services.items()])
        changed, before = make.changed_ports(before, after), after
        return await backend.sync(after, None if full else changed)

    return run


async def test_everything_is_written_at_first_over_what_is_there_and_then_only_what_changes(nft, sync):
    assert await sync(full=True, a=["10.180.0.1"]) == {"internal": 0, "external": 0}
    assert nft.calls == [LIST, FEED]
    assert "delete chain ip kube-proxy nat-prerouting\n" in nft.fed[0]
    assert "ip daddr { 10.96.0.0/16 } drop" in nft.fed[0]
    await sync(a=["10.180.0.1"], b=["10.180.0.2"])
    assert nft.calls[2:] == [FEED], "nothing is listed"
    assert "10.180.0.2" in nft.fed[1] and "10.180.0.1" not in nft.fed[1] and "nat-prerouting" not in nft.fed[1]
    await sync(full=True, a=["10.180.0.1"])
    assert nft.calls[3:] == [LIST, FEED]
    assert "add chain ip kube-proxy nat-prerouting " in nft.fed[2] and "delete chain" not in nft.fed[2]


async def test_after_a_failure_everything_is_written(nft, sync, metrics):
    await sync(full=True, a=["10.180.0.1"])
    nft.refuses = "10.180.0.2"
    with pytest.raises(
        LoadError, match="nft ended with code 1: Error: Could not process rule: Device or resource busy"
    ):
        await sync(a=["10.180.0.2"])
    assert metrics.value("kubeproxy_sync_proxy_rules_nftables_sync_failures_total") == 1
    nft.refuses = ""
    await sync(a=["10.180.0.2"])
    assert "nat-prerouting" in nft.fed[-1] and "10.180.0.2" in nft.fed[-1]


async def test_chains_that_nobody_needs_go_a_second_later(nft, sync, clock, metrics):
    await sync(full=True, a=["10.180.0.1"], b=["10.180.0.2"])
    await sync(a=["10.180.0.1"])
    (stale,) = re.findall(r"flush chain ip kube-proxy (service-\S+/b/\S+)", nft.fed[-1])
    deletion = f"delete chain ip kube-proxy {stale}\n"
    await sync(a=["10.180.0.3"])
    assert deletion not in nft.fed
    clock.now += 1
    nft.refuses = deletion
    await sync(a=["10.180.0.4"])
    assert metrics.value("kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total") == 1
    nft.refuses = ""
    clock.now += 1
    await sync(a=["10.180.0.5"])
    assert nft.fed.count(deletion) == 1
    clock.now += 1
    await sync(a=["10.180.0.6"])
    assert nft.fed.count(deletion) == 1


async def test_what_is_needed_again_is_not_deleted(nft, sync, clock):
    await sync(full=True, a=["10.180.0.1"], b=["10.180.0.2"])
    await sync(a=["10.180.0.1"])
    await sync(a=["10.180.0.1"], b=["10.180.0.2"])
    clock.now += 2
    await sync(a=["10.180.0.9"], b=["10.180.0.2"])
    assert not any("delete chain" in text for text in nft.fed[1:])


async def test_what_does_not_fit_goes_in_by_several_transactions_and_the_length_is_remembered(nft, sync):
    nft.longest = 4_500
    await sync(full=True, **{name: ["10.180.0.1"] for name in "abcdefghijkl"})
    assert len(nft.fed) > 1 and all(len(text) <= nft.longest for text in nft.fed)
    tried, taken = len(nft.calls), len(nft.fed)
    await sync(full=True, **{name: ["10.180.0.1"] for name in "abcdefghijkl"})
    assert len(nft.calls) - tried == 1 + len(nft.fed) - taken, "one listing, and no transaction in vain"


async def test_without_nft_it_says_what_to_install(nft, sync):
    nft.installed = False
    with pytest.raises(LoadError, match=r"^mode nftables needs the program nft, which is not installed \(in Debian:"):
        await sync(full=True)


async def test_the_table_goes_as_a_whole_and_its_absence_is_noticed(nft, backend, sync):
    await sync(full=True, a=[])
    nft.table = {"nftables": []}
    assert not await backend.gone()
    nft.table = None
    assert await backend.gone()
    await backend.clean_up(Owned())
    assert nft.fed[-1] == "add table ip kube-proxy\ndelete table ip kube-proxy\n"
