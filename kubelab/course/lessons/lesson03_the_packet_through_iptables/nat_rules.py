"""A node's own rules for one ClusterIP, read from its `iptables-save -c` (kube-proxy 1.36, mode iptables)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubelab.clusters.base import Node
from kubelab.lab import waiting
from kubelab.lab.connections import named_node
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab

SETTLED_SECONDS = 30.0
_RULE = re.compile(r"^\[(?P<packets>\d+):\d+\] -A (?P<chain>\S+) (?P<text>.*)$")


@dataclass(frozen=True)
class Rule:
    """One rule with its packet counter."""

    table: str
    chain: str
    text: str
    """What follows the chain's name."""
    packets: int

    def option(self, name: str) -> str:
        """The word after an option: ``rule.option("-j")``; empty when it is not there."""
        found = re.search(rf"(?:^| ){re.escape(name)} (\S+)", self.text)
        return found[1] if found else ""


@dataclass(frozen=True)
class ServiceChains:
    """What a node does with new connections to one address and port."""

    service_chain: str
    """``KUBE-SVC-…``; empty when no rule sends the address anywhere."""
    endpoints: Mapping[str, str]
    """``KUBE-SEP-…`` → where its DNAT leads (``address:port``), in the order of the draw."""
    packets: Mapping[str, int]
    """``KUBE-SEP-…`` → what its DNAT rule has counted."""
    probabilities: Mapping[str, float]
    """``KUBE-SEP-…`` → what the rule that leads to it draws with; 1 where it draws nothing."""

    def since(self, before: ServiceChains) -> dict[str, int]:
        """By how much each counter rose."""
        return {chain: count - before.packets.get(chain, 0) for chain, count in self.packets.items()}

    def chain_to(self, endpoint: str) -> str:
        """The chain whose DNAT leads to ``address:port``; empty when none does."""
        return next((chain for chain, target in self.endpoints.items() if target == endpoint), "")


def rules(node: Node) -> list[Rule]:
    """Every rule of a node with its counter. Raises `LabError` when they cannot be read."""
    done = node.run(["iptables-save", "-c"])
    if done.code != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise LabError(f"`iptables-save -c` on {node.name} failed: {said}")
    return list(parse(done.stdout))


def parse(text: str) -> Iterator[Rule]:
    """The rules in what `iptables-save -c` prints."""
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif found := _RULE.match(line):
            yield Rule(table, found["chain"], found["text"], int(found["packets"]))


def service_chains(found: list[Rule], address: str, port: int) -> ServiceChains:
    """From the dispatch in KUBE-SERVICES to the DNATs."""
    nat = [rule for rule in found if rule.table == "nat"]

    def asked(rule: Rule) -> bool:
        to = (rule.option("-d").removesuffix("/32"), rule.option("-p"), rule.option("--dport"))
        return rule.chain == "KUBE-SERVICES" and to == (address, "tcp", str(port))

    own = next((rule.option("-j") for rule in nat if asked(rule)), "")
    draws = [rule for rule in nat if rule.chain == own and rule.option("-j").startswith("KUBE-SEP-")]
    order = {rule.option("-j"): float(rule.option("--probability") or 1) for rule in draws}
    translations = {rule.chain: rule for rule in nat if rule.chain in order and rule.option("-j") == "DNAT"}
    return ServiceChains(
        own,
        {chain: translations[chain].option("--to-destination") for chain in order if chain in translations},
        {chain: translations[chain].packets for chain in order if chain in translations},
        order,
    )


def read(lab: Lab, service: str, node: str) -> ServiceChains:
    """What a node does for a Service of the lab, now. Raises `LabError`, `ApiError` (404)."""
    spec = lab.get(f"service/{service}")["spec"]
    return service_chains(rules(named_node(lab, node)), spec["clusterIP"], spec["ports"][0]["port"])


def wait_until_known(lab: Lab, service: str, nodes: list[str], endpoints: int) -> None:
    """Wait until these nodes have a chain for each endpoint. Raises `TimedOut`."""

    def look() -> waiting.Seen:
        known = [len(read(lab, service, node).endpoints) for node in nodes]
        return waiting.Seen(all(count == endpoints for count in known), f"they know {known} of {endpoints} endpoints")

    waiting.until(look, f"The nodes have no rules yet for {service}", SETTLED_SECONDS)
