"""What the nodes remember, in the lesson's words; one sentence where no kernel can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kubelab.clusters.base import SKIPPED
from kubelab.course.predictions import Comparison, predict
from kubelab.lab.addressbook import address_book
from kubelab.lab.connections import Connection, Connections
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.traffic import Answer

COUNT = "/proc/sys/net/netfilter/nf_conntrack_count"
MOST = "/proc/sys/net/netfilter/nf_conntrack_max"
NEARLY_FULL = 0.8


@dataclass(frozen=True)
class NoTable:
    """Said where there is no table to look at."""

    sentence: str = (
        f"{SKIPPED}This cluster has no connection table of the kernel; what the traffic shows below holds here all the "
        "same."
    )

    def __repr__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Entry:
    """One line of ``conntrack -L``, its ends by name. The client's port is called P: it is another on every run."""

    connection: Connection

    @property
    def forgotten_after(self) -> str:
        """When the kernel gives the entry up if nothing comes any more."""
        seconds = self.connection.seconds
        return next((f"{bound} s" for bound in (30, 120, 300) if seconds <= bound), "hours or days")

    def __repr__(self) -> str:
        it = self.connection
        lines = (
            ("protocol", it.protocol),
            ("state", it.state or "none"),
            ("flags", it.flags or "none"),
            ("first packet", f"{it.source}:P → {it.asked}"),
            ("answers", f"{it.server} → {it.seen_as}:P"),
            ("forgotten", f"after {self.forgotten_after} of silence, or less"),
        )
        return "\n".join(f"{name:13}{value}" for name, value in lines)


@dataclass(frozen=True)
class Fullness:
    """How full the nodes' tables are; ``used``: entries as a part of the limit, by node."""

    used: dict[str, float]

    def __repr__(self) -> str:
        fullest = max(self.used.values())
        if fullest < NEARLY_FULL:
            return f"{len(self.used)} nodes, no table anywhere near its limit"
        return "Nearly full: " + ", ".join(node for node, part in self.used.items() if part >= NEARLY_FULL)


def flows(lab: Lab, service: str, protocol: str) -> Connections | NoTable:
    """The entries of those who asked for a Service and are not done."""
    if "conntrack" not in lab.cluster.capabilities:
        return NoTable()
    return lab.connections(service=service, protocol=protocol).open


def what_became(left: Connections | NoTable) -> str | NoTable:
    """Whether entries to pods that are gone were left: ``"it stays"`` or ``"it is deleted"``."""
    if isinstance(left, NoTable):
        return left
    return "it stays" if any("(gone)" in each.server for each in left) else "it is deleted"


def compared(question: str, observed: str | NoTable) -> Comparison | NoTable:
    """The prediction beside what was observed; where nothing can be observed, the sentence that says so."""
    return observed if isinstance(observed, NoTable) else predict.compare(question, observed)


def entry(lab: Lab, service: str) -> Entry | NoTable:
    """The entry of a TCP connection to a Service, read while it is open. Raises `LabError` when there is none."""
    if "conntrack" not in lab.cluster.capabilities:
        return NoTable()
    client = lab.stream(service, rate=50, connections=1)
    try:
        lab.probe(service, n=1)
        found = [each for each in lab.connections(service=service, protocol="tcp") if each.state == "ESTABLISHED"]
    finally:
        client.stop()
    if not found:
        raise LabError(f"No node remembers an open connection to {service}; run the cell again.")
    return Entry(found[0])


def fullness(lab: Lab) -> Fullness | NoTable:
    """Entries and limit of every node's table, from the kernel's own counters."""
    used = {}
    for node in lab.cluster.nodes():
        read = node.run(["cat", COUNT, MOST])
        if read.code != 0:
            return NoTable()
        count, most = map(int, read.stdout.split())
        used[node.name] = count / most
    return Fullness(used) if used else NoTable()


def seen_as(lab: Lab, answers: Iterable[Answer]) -> dict[str, str]:
    """Whom each pod took for its client: ``{"web-1": "the pod itself"}``."""
    book, pods = address_book(lab), {pod.alias: pod.ip for pod in lab.pods()}
    nodes = {node.name for node in lab.cluster.nodes()}
    seen = {}
    for answer in answers:
        name = book.name(answer.peer)
        own = answer.peer == pods.get(answer.pod)
        seen[answer.pod] = "its own address" if own else "its node's address" if name in nodes else name
    return seen
