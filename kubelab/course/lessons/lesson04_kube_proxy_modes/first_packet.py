"""What the first packet of a connection costs with many Services, measured in this machine's kernel.

In a scratch network of its own, of the same tier as the cluster: one node, a client, a server, and as many Services
as wanted, loaded by the same proxy. The learner's cluster is not touched.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kubelab.course.lessons.lesson04_kube_proxy_modes.dummies import TARGET_PORT, endpointslice, nobodys, service
from kubelab.engine import config
from kubelab.engine.network.contract import Finished, Network, node, pod
from kubelab.engine.network.start import start_network
from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy.backend import StandsIn
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.family import FamilyProxy
from kubelab.engine.proxy.modes import BACKENDS
from kubelab.lab import palette
from kubelab.lab.lab import Lab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = (1, 500, 1000, 2000)
TURNS = 600
CLIENT, SERVER = "10.244.1.101", "10.244.1.102"
PROGRAM = Path(__file__).with_name("connects.py")
CONFIG = ProxyConfig(cluster_cidr=str(config.POD_CIDR), service_cidrs=(str(config.SERVICE_CIDR),))

NO_KERNEL = (
    "No kernel holds rules on this cluster: a connection's way is evaluated by kubelab itself, so its latency would be "
    "the evaluator's, not kube-proxy's. The number of rules above is true here too."
)
GROWS = 1.6
"""From how much on a connection to the last of the most Services counts as dearer than to a single one. Measured
on one machine (root, iptables over nf_tables), in a few runs: 2.7 in iptables mode, 1.0 to 1.1 in nftables mode."""


class Cost(NamedTuple):
    """The low end (5th percentile) of many connects, in microseconds."""

    services: int
    direct: float
    """To the pod itself: no Service's rule applies, which is known only when all were asked."""
    last: float
    """To the Service that the rules name last."""


class FirstPackets:
    """What was measured, mode by mode; ``notes`` say why a mode is missing."""

    def __init__(self, costs: dict[ProxyMode, list[Cost]], notes: Sequence[str] = ()) -> None:
        self.costs, self.notes = costs, tuple(notes)

    def growing(self) -> list[ProxyMode]:
        """The modes in which the last Service costs clearly more among the most Services than alone."""
        return [mode for mode, costs in self.costs.items() if factor(costs) > GROWS]

    def plot(self) -> Figure | str:
        """A picture, or the sentence that says why there is none."""
        if not self.costs:
            return " ".join(self.notes)
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
        for (mode, costs), colour, marker in zip(self.costs.items(), palette.COLOURS, "osD", strict=False):
            sizes = [cost.services for cost in costs]
            axes.plot(sizes, [cost.last for cost in costs], color=colour, marker=marker, label=f"{mode}: last Service")
            direct = [cost.direct for cost in costs]
            axes.plot(sizes, direct, color=colour, linestyle=":", label=f"{mode}: pod, no Service")
        axes.set_xlabel("Services")
        axes.set_ylabel("µs for a connect (5th percentile)")
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
        plt.close(figure)
        return figure

    def __repr__(self) -> str:
        said = [f"{mode}: {'grows' if mode in self.growing() else 'flat'}" for mode in self.costs]
        return "\n".join([f"FirstPackets({', '.join(said) or 'none'})", *self.notes])


def factor(costs: Sequence[Cost]) -> float:
    """How many times as long as with the fewest Services a connect to the last one takes with the most."""
    return costs[-1].last / costs[0].last


def first_packets(lab: Lab, sizes: Sequence[int] = SIZES, turns: int = TURNS) -> FirstPackets:
    """Measure each mode that this machine's kernel has. Where no kernel holds rules, nothing but a sentence."""
    if "kernel rules" not in lab.cluster.capabilities:
        return FirstPackets({}, [NO_KERNEL])
    with ThreadPoolExecutor(1) as thread:  # JupyterLab's own thread has a loop already
        return thread.submit(asyncio.run, measured(sizes, turns)).result()


async def measured(sizes: Sequence[int], turns: int, modes: Iterable[ProxyMode] = tuple(BACKENDS)) -> FirstPackets:
    """As `first_packets`, whatever the cluster."""
    costs, notes = {}, []
    for mode in modes:
        found = await _mode(mode, sizes, turns)
        if isinstance(found, str):
            notes.append(f"{mode} was not measured: {found}.")
        else:
            costs[mode] = found
    return FirstPackets(costs, notes)


async def _mode(mode: ProxyMode, sizes: Sequence[int], turns: int) -> list[Cost] | str:
    """The costs, or what stands in for this mode."""
    spec = config.nodes("scratch")[1]
    with tempfile.TemporaryDirectory() as state:
        network = await start_network(Path(state))
        try:
            await network.add_node(spec)
            await network.add_pod("client", spec.name, CLIENT)
            await network.add_pod("server", spec.name, SERVER)

            async def run(argv: Sequence[str], stdin: bytes) -> Finished:
                return await network.run(node(spec.name), argv, stdin=stdin, timeout_seconds=120)

            proxy = FamilyProxy(run, CONFIG, 4, spec.name, BACKENDS[mode])
            view = NodeView(spec.name, (spec.ip,))
            await proxy.sync(view)
            if isinstance(proxy.backend, StandsIn) and proxy.backend.detail:
                return proxy.backend.detail
            return await _costs(network, proxy, view, sizes, turns)
        finally:
            await network.close()


async def _costs(network: Network, proxy: FamilyProxy, view: NodeView, sizes: Sequence[int], turns: int) -> list[Cost]:
    costs: list[Cost] = []
    known = 0
    listening = await network.listen(pod("server"), SERVER, TARGET_PORT)
    loop = asyncio.get_running_loop()

    def accept() -> None:
        listening.accept()[0].close()

    loop.add_reader(listening, accept)
    try:
        for size in sizes:
            for number in range(max(known - 1, 0), size):
                # Only the last one, which the rules name last, leads to the server.
                ends = (SERVER,) if number == size - 1 else nobodys(number, 1)
                proxy.tracker.note_service(None, service(number))
                proxy.tracker.note_slice(None, endpointslice(number, ends))
            known = size
            proxy.forget()
            await proxy.sync(view)
            last = f"{service(size - 1)['spec']['clusterIP']}:80"
            argv = [sys.executable, "-S", "-E", str(PROGRAM), str(turns), f"{SERVER}:{TARGET_PORT}", last]
            done = await network.run(pod("client"), argv, timeout_seconds=120)
            if done.code != 0:
                raise RuntimeError(f"The client did not connect: {done.stderr.decode(errors='replace').strip()}")
            costs.append(Cost(size, *json.loads(done.stdout)))
    finally:
        loop.remove_reader(listening)
        listening.close()
    return costs
