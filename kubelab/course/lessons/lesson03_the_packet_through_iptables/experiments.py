"""What the lesson looks at: the kernel's word, a node's counters, the server's view of its client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from kubelab.course.lessons.lesson03_the_packet_through_iptables import nat_rules
from kubelab.course.lessons.lesson03_the_packet_through_iptables.stage import CLIENT
from kubelab.course.lessons.lesson03_the_packet_through_iptables.way import HopTable
from kubelab.lab import waiting
from kubelab.lab.connections import named_node
from kubelab.lab.lab import Lab
from kubelab.lab.service_rules import service_rules
from kubelab.trace import Followed

REQUESTS = 60
"""Enough to hear of each of three pods: one stays unheard once in ten thousand million times."""


class Said(str):
    """A sentence to be shown as it is."""

    def __repr__(self) -> str:
        return str(self)


@dataclass
class Risen:
    """By how much the counters of a Service's DNAT rules rose on a node."""

    counters: dict[str, int]
    """``KUBE-SEP-…`` → packets; which one is chance."""

    @property
    def total(self) -> int:
        """All together."""
        return sum(self.counters.values())

    def __repr__(self) -> str:
        return f"Risen(by {self.total} in all)"


def client_node(lab: Lab) -> str:
    """The node on which the client stands: its rules decide."""
    return lab.pod(CLIENT).node


def saved(lab: Lab, node: str) -> str:
    """What ``iptables-save -c`` prints on a node: every rule, with its counters of packets and bytes."""
    return named_node(lab, node).run(["iptables-save", "-c"]).stdout


def chains(lab: Lab, service: str, node: str) -> Said:
    """All lines that a node has for a Service in iptables mode, in words, under their chains."""
    found = service_rules(lab, service, node)
    _, *lines = replace(found, modes=(found["iptables"],)).text().splitlines()[1:]
    return Said("\n".join(line.removeprefix("  ") for line in lines))


def changed(table: HopTable) -> str:
    """Which addresses the request has another of at its end."""
    first, last = (step.packet.split(" → ") for step in (table.there[0], table.there[-1]))
    words = {(False, False): "none", (False, True): "the destination", (True, False): "the source"}
    return words.get((first[0] != last[0], first[1] != last[1]), "both")


def kernels_word(lab: Lab, source: str, service: str) -> Followed | None:
    """Follow a real packet; None where there is no kernel to ask."""
    return lab.follow(source, service) if "kernel rules" in lab.cluster.capabilities else None


@contextmanager
def heard(lab: Lab, service: str, node: str) -> Iterator[Risen]:
    """The counters of a Service's DNAT rules on a node, before and after a ``with`` block."""
    before, risen = nat_rules.read(lab, service, node), Risen({})
    yield risen
    risen.counters = nat_rules.read(lab, service, node).since(before)


def seen_by_servers(lab: Lab, source: str, service: str) -> dict[str, str]:
    """Server → whom it takes for its client, in words."""
    client = lab.pod(source)
    names = {pod.ip: f"the pod {pod.alias}" for pod in lab.pods() if pod.ip}
    answers = lab.probe(service, n=REQUESTS, source=source).answers
    seen = {each.pod: names.get(each.peer, f"the node of {client.alias}") for each in answers if each.ok}
    return {pod: seen[pod] for pod in sorted(seen)}


def refusing_rule(lab: Lab, service: str, node: str) -> Said:
    """The rule that refuses a Service without endpoints, its address by name; waited for. Raises `TimedOut`."""
    address = lab.get(f"service/{service}")["spec"]["clusterIP"]
    found: list[str] = []

    def look() -> waiting.Seen:
        found[:] = [
            f"{rule.table}: -A {rule.chain} {rule.text}".replace(f"{address}/32", f"(Service {service})")
            for rule in nat_rules.rules(named_node(lab, node))
            if rule.table == "filter" and f"-d {address}/32" in rule.text and rule.option("-j") == "REJECT"
        ]
        return waiting.Seen(bool(found), "there is no such rule")

    waiting.until(look, f"{node} has no rule that refuses {service}", nat_rules.SETTLED_SECONDS)
    return Said(found[0])
