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
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

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


async def syncs(mode: ProxyMode, count: int) -> list[Measure]:
    """The first sync of a node, and changes of one endpoint, each from the event of the watch to the kernel."""
    spec = config.nodes(NAME)[1]
    with tempfile.TemporaryDirectory() as state:
        network = await start_network(Path(state))
        try:
            await network.add_node(spec)
            proxy = FamilyProxy(runner(network, spec.name), PROXY_CONFIG, 4, spec.name, BACKENDS[mode])
            for number in range(count):
                proxy.tracker.note_service(None, service(number))
                proxy.tracker.note_slice(None, slice_of(number))
            view = NodeView(spec.name, (spec.ip,))
            full = await timed(proxy.sync(view))
            changes = []
            for turn in range(CHANGES):
                before, after = (slice_of(count // 2, ENDPOINTS + each) for each in (turn, turn + 1))
                begin = time.perf_counter()
                proxy.tracker.note_slice(before, after)
                await proxy.sync(view)
                changes.append(time.perf_counter() - begin)
            tier = network.tier
        finally:
            await network.close()
    where = f"{mode}, {count} Services × {ENDPOINTS}"
    middle = sorted(changes)[CHANGES // 2]
    return [
        Measure(f"full sync, {where}", full, "s", FULL_MARKS.get((mode, count)), detail=f"tier {tier}"),
        Measure(f"one endpoint, {where}", 1000 * middle, "ms", CHANGE_MARK_MS),
    ]


def runner(network: Network, name: str) -> Callable[..., Awaitable[Any]]:
    """Runs tools in a node."""

    async def run(argv: list[str], stdin: bytes) -> Any:
        return await network.run(node(name), argv, stdin=stdin)

    return run


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
            for measure in asyncio.run(syncs(mode, count)):
                print(measure, flush=True)
    for measure in switches():
        print(measure, flush=True)
