"""kube-proxy's syncs with many Services, loaded into the kernel of a real node, and switching a cluster's mode.

``python -m benchmarks sync [SERVICES …]``; ``KUBELAB_TIER=user`` for a plain user's network. The marks of full syncs
are what a kube-proxy 1.36.2 took on such a machine (iptables 1.8.9, nf_tables); like its own metric they begin when
the objects are known.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from benchmarks.measure import Measure
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.course.lessons.lesson04_kube_proxy_modes.dummies import endpointslice, service
from kubelab.engine import config
from kubelab.engine.network.contract import Network, node
from kubelab.engine.network.start import start_network
from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.family import FamilyProxy
from kubelab.engine.proxy.modes import BACKENDS
from kubelab.engine.world import PROXY_CONFIG

SIZES = (100, 1000, 5000)
ENDPOINTS = 3
LONG = 5000
"""So many Services are loaded once only."""
RUNS = 3
CHANGES = 5
"""One endpoint each; the median counts."""

FULL_MARKS: dict[tuple[str, int], float] = {
    ("iptables", 1000): 0.68,
    ("iptables", 5000): 20,
    ("nftables", 1000): 0.20,
    ("nftables", 5000): 3.1,
}
CHANGE_MARK_MS = 150
SWITCHED_SERVICES = 20
NAME = "bench-sync"


def slice_of(number: int, last: int = ENDPOINTS) -> dict[str, Any]:
    """A Service's endpoints; ``last`` tells the third from another."""
    hosts = [*range(1, ENDPOINTS), last]
    return endpointslice(number, tuple(f"10.{100 + host}.{number // 250}.{1 + number % 250}" for host in hosts))


async def timed(work: Awaitable[object]) -> float:
    """Seconds."""
    begin = time.perf_counter()
    await work
    return time.perf_counter() - begin


class Tools:
    """Runs tools in a node, and knows how long they took: what no proxy can do anything about."""

    def __init__(self, network: Network, name: str) -> None:
        self.seconds = 0.0
        self._network, self._name = network, name

    async def run(self, argv: Sequence[str], stdin: bytes) -> Any:
        begin = time.perf_counter()
        try:
            return await self._network.run(node(self._name), argv, stdin=stdin)
        finally:
            self.seconds += time.perf_counter() - begin


class Run(NamedTuple):
    """Seconds, of a node from nothing."""

    full: float
    full_in_tools: float
    change: float
    change_in_tools: float
    tier: str


async def one_run(mode: ProxyMode, count: int) -> Run:
    """The first sync of a node, and changes of one endpoint, each from the event of the watch to the kernel."""
    spec = config.nodes(NAME)[1]
    with tempfile.TemporaryDirectory() as state:
        network = await start_network(Path(state))
        try:
            await network.add_node(spec)
            tools = Tools(network, spec.name)
            proxy = FamilyProxy(tools.run, PROXY_CONFIG, 4, spec.name, BACKENDS[mode])
            for number in range(count):
                proxy.tracker.note_service(None, service(number))
                proxy.tracker.note_slice(None, slice_of(number))
            view = NodeView(spec.name, (spec.ip,))
            full = await timed(proxy.sync(view)), tools.seconds
            changes = []
            for turn in range(CHANGES):
                before, after = (slice_of(count // 2, ENDPOINTS + each) for each in (turn, turn + 1))
                begin, tools.seconds = time.perf_counter(), 0.0
                proxy.tracker.note_slice(before, after)
                await proxy.sync(view)
                changes.append((time.perf_counter() - begin, tools.seconds))
            return Run(*full, *sorted(changes)[CHANGES // 2], network.tier)
        finally:
            await network.close()


def syncs(mode: ProxyMode, count: int) -> Iterator[Measure]:
    """The median of a few runs, or of a single one that is long."""
    runs = [asyncio.run(one_run(mode, count)) for _ in range(RUNS if count < LONG else 1)]
    full, change = sorted(runs)[len(runs) // 2], sorted(runs, key=lambda run: run.change)[len(runs) // 2]
    where = f"{mode}, {count} Services × {ENDPOINTS}"
    detail = f"{full.full_in_tools:.2f} s of it in tools, tier {full.tier}"
    yield Measure(f"full sync, {where}", full.full, "s", FULL_MARKS.get((mode, count)), detail=detail)
    detail = f"{1000 * change.change_in_tools:.0f} ms of it in tools"
    yield Measure(f"one endpoint, {where}", 1000 * change.change, "ms", CHANGE_MARK_MS, detail=detail)


def switches() -> Iterator[Measure]:
    """A whole cluster to each mode and back."""
    import kubelab

    os.environ["KUBELAB_NAME"] = NAME
    cluster = EmbeddedCluster(NAME)
    try:
        cluster.up()
        lab = kubelab.connect(NAME)
        plain = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
        lab.apply([{**plain, "metadata": {"name": f"svc-{number}"}} for number in range(SWITCHED_SERVICES)])
        for mode in (*(mode for mode in BACKENDS if mode != "iptables"), "iptables"):
            begin = time.perf_counter()
            cluster.set_proxy_mode(cast("ProxyMode", mode))
            yield Measure(f"3 nodes with {SWITCHED_SERVICES} Services to {mode}", time.perf_counter() - begin, "s", 2)
    finally:
        cluster.down()


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Print a line for each measure as it comes."""
    for count in sizes:
        for mode in BACKENDS:
            for measure in syncs(cast("ProxyMode", mode), count):
                print(measure, flush=True)
    for measure in switches():
        print(measure, flush=True)
