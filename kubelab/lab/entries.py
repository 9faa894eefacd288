"""Which node a client comes in by, and what becomes of it there: a Service's node port, asked at every node."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from kubelab.lab.addressbook import OUTSIDE, address_book
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.pods import natural
from kubelab.lab.rows import padded, table
from kubelab.lab.survey import seen_nodes
from kubelab.lab.traffic import Fairness, Traffic, join

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLIENT = "the client itself"
KNOCKS, KNOCK_SECONDS = 2, 0.8
"""Requests that are sent first, and how long they may take: a node that drops packets costs that much time for each."""
PATIENCE_SECONDS = 3.0
SETTLED_SECONDS = 5.0
"""How long the nodes may take to learn of a Service that was changed a moment ago."""
HEADS = ("comes in by", "is answered by", "the servers saw", "health check")


@dataclass(frozen=True)
class Entry:
    """One node, as clients from outside find it."""

    node: str
    traffic: Traffic
    sources: tuple[str, ...]
    """Whom the servers took for their client: `CLIENT`, or the names of nodes and pods."""
    health: int | None = None
    """What its health check for the Service says (200: send clients here, 503: do not); None when it has none."""

    @property
    def open(self) -> bool:
        """Whether a load balancer would send clients here: unless the node says no."""
        return self.health in (None, 200)

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row in words, the same on every run."""
        failures = " and ".join(self.traffic.errors)
        answered = ", ".join(self.traffic.pods) or f"nobody: {failures}"
        return self.node, answered, ", ".join(self.sources) or "–", "none" if self.health is None else str(self.health)


@dataclass(frozen=True)
class Entries:
    """Every node, and the pods behind the Service. Shown without counts, which are chance; `plot` has them."""

    service: str
    nodes: tuple[Entry, ...]
    homes: Mapping[str, str]
    """Pod, by alias → its node."""

    def __getitem__(self, node: str) -> Entry:
        return next(entry for entry in self.nodes if entry.node == node)

    @property
    def traffic(self) -> Traffic:
        """What came in by nodes that do not say no."""
        return join(entry.traffic for entry in self.nodes if entry.open)

    @property
    def fair(self) -> Fairness:
        """Whether the answers are spread evenly over all pods, by a chi-square test."""
        return self.traffic.fair(len(self.homes))

    @property
    def sources(self) -> frozenset[str]:
        """Whom the servers took for their client, over all nodes."""
        return frozenset(source for entry in self.nodes for source in entry.sources)

    def percent(self, *pods: str) -> int:
        """The part of all answers that came from these pods, together."""
        counts = self.traffic.counts
        return round(100 * sum(counts.get(pod, 0) for pod in pods) / max(1, sum(counts.values())))

    def plot(self) -> Figure:
        """A heat map: node by pod, and what the servers saw."""
        from kubelab.lab.entry_pictures import draw_entries

        return draw_entries(self)

    def __repr__(self) -> str:
        return padded([HEADS, *(entry.cells for entry in self.nodes)])

    def _repr_html_(self) -> str:
        return table(HEADS, (entry.cells for entry in self.nodes))


def ask_nodes(lab: Lab, service: str, n: int = 60) -> Entries:
    """Send ``n`` requests from outside to the Service's port at every node; two to a node that answers none.

    Waits a little for nodes that have not heard yet of a change to the Service; what they do then is what is told.
    Raises `LabError` when the Service has no node port.
    """
    spec = lab.get(f"service/{service}")["spec"]
    port = next((each["nodePort"] for each in spec.get("ports") or () if each.get("nodePort")), None)
    if port is None:
        raise LabError(f"Service {service} has no node port; its type would have to be NodePort or LoadBalancer.")
    addresses = node_addresses(lab)
    homes = homes_of(lab, service)
    local = spec.get("externalTrafficPolicy") == "Local"
    deadline = time.monotonic() + SETTLED_SECONDS
    entries = []
    for node, address in addresses.items():
        expected = not local or node in homes.values()
        silent = bool(homes) and not expected
        ask = partial(_ask, lab, f"http://{address}:{port}/")
        knock = ask(KNOCKS, KNOCK_SECONDS)
        while not _as_expected(knock, expected, silent, local, lab) and time.monotonic() < deadline:
            knock = ask(KNOCKS, KNOCK_SECONDS)
        if "timeout" in knock.errors and expected:
            knock = ask(KNOCKS, PATIENCE_SECONDS)  # it may be a busy machine, and no node that drops packets
        rest = [ask(n - KNOCKS, PATIENCE_SECONDS)] if knock.success else []
        health = _health(lab, address, spec.get("healthCheckNodePort"), deadline)
        entries.append(_entry(lab, node, join([knock, *rest]), health))
    return Entries(service, tuple(entries), homes)


def node_addresses(lab: Lab) -> dict[str, str]:
    """Node, by its short name → its address, sorted by name."""
    found = {
        short(lab, node["metadata"]["name"]): address["address"]
        for node in seen_nodes(lab)
        for address in node["status"].get("addresses") or ()
        if address["type"] == "InternalIP"
    }
    return dict(sorted(found.items()))


def homes_of(lab: Lab, service: str) -> dict[str, str]:
    """Ready pod behind the Service, by alias → its node's short name."""
    selector = lab.get(f"service/{service}")["spec"].get("selector") or {}
    pods = lab.pods(",".join(f"{key}={value}" for key, value in selector.items())) if selector else ()
    ready = {pod.alias: short(lab, pod.node) for pod in pods if pod.ready and not pod.terminating}
    return dict(sorted(ready.items(), key=lambda pair: (pair[1], natural(pair[0]))))


def short(lab: Lab, node: str) -> str:
    """A node's name without the cluster's: ``worker2``."""
    return node.removeprefix(f"{lab.cluster.name}-")


def _entry(lab: Lab, node: str, traffic: Traffic, health: int | None) -> Entry:
    book = address_book(lab)
    seen = Counter(answer.peer for answer in traffic.answers if answer.peer)
    names = {CLIENT if book.name(peer) == OUTSIDE else short(lab, book.name(peer)) for peer in seen}
    return Entry(node, traffic, tuple(sorted(names)), health)


def _as_expected(knock: Traffic, reachable: bool, silent: bool, local: bool, lab: Lab) -> bool:
    """Whether the node does what the policy says; a node that has not heard of it yet does something else.

    A node without a pod of its own says nothing where others have one: only where nobody has one does it refuse.
    """
    if not reachable:
        return knock.success == 0 and not (silent and "refused" in knock.errors)
    own = {OUTSIDE} == {address_book(lab).name(answer.peer) for answer in knock.answers if answer.peer}
    return knock.success == 1 and own == local


def _ask(lab: Lab, url: str, n: int, timeout: float) -> Traffic:
    return lab.probe(url, n=n, source="outside", timeout=timeout)


def _health(lab: Lab, address: str, port: int | None, deadline: float) -> int | None:
    """The code that the node's health check answers with; None when the Service has none or nobody answers."""
    while port:
        (answer,) = lab.probe(f"http://{address}:{port}/healthz", n=1, source="outside", timeout=2).answers
        if answer.code is not None or time.monotonic() > deadline:
            return answer.code
    return None
