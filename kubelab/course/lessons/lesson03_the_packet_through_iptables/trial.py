"""The start state of both tasks, and the trial by traffic: do the named counters rise by the connections sent?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kubelab.course.lessons.lesson03_the_packet_through_iptables import nat_rules, stage
from kubelab.course.lessons.lesson03_the_packet_through_iptables.nat_rules import ServiceChains
from kubelab.course.seed import Seed
from kubelab.lab.connections import named_node
from kubelab.lab.errors import NotFound
from kubelab.lab.lab import Lab

CONNECTIONS = 60
"""New connections that a check sends. One of four endpoints stays without any once in thirty million times."""
ATTEMPTS = 3
DISTURBED = "What is named is right, but its counters did not rise by what was sent, in three trials."
UNDISTURB = "Does somebody else ask the Service, or is this machine very busy? Stop that and check once more."
DECOY_PODS = 2


class Setting(NamedTuple):
    """The learner's own Service, and another one beside it."""

    service: str
    port: int
    target: int
    pods: int
    decoy: str
    client_at: int
    """On which of the two nodes the client stands."""

    @property
    def pod_names(self) -> list[str]:
        """The pods behind the Service."""
        return [f"{self.service}-{number + 1}" for number in range(self.pods)]


def setting(seed: Seed, task: str) -> Setting:
    """What the seed says of a task."""
    service = seed.name(f"{task}/service")
    return Setting(
        service,
        seed.number(f"{task}/port", 9001, 9999),
        seed.number(f"{task}/target", 8001, 8999),
        seed.number(f"{task}/pods", 3, 4),
        # The endings keep the two apart, whatever the seed draws.
        f"{seed.name(f'{task}/decoy')}-b",
        seed.number(f"{task}/client-at", 0, 1),
    )


def start(lab: Lab, own: Setting) -> None:
    """Two Services, a client, and rules on every node."""
    nodes = stage.workers(lab)
    lab.apply(stage.files.manifest(stage.PACKAGE, "server"))
    decoys = [f"{own.decoy}-{number + 1}" for number in range(DECOY_PODS)]
    for service, pods in ((own.service, own.pod_names), (own.decoy, decoys)):
        stage.apply_pods(lab, service, own.target, {pod: nodes[at % 2] for at, pod in enumerate(pods)})
        stage.apply_service(lab, service, own.port, own.target)
    stage.apply_client(lab, nodes[own.client_at])
    stage.settle(lab, {own.service: own.pods, own.decoy: DECOY_PODS})


def is_here(lab: Lab, own: Setting) -> bool:
    """Whether the start state is there."""
    try:
        lab.get(f"service/{own.service}"), lab.get(f"service/{own.decoy}")
    except NotFound:
        return False
    return all(lab.find_pod(name) for name in (stage.CLIENT, *own.pod_names))


class Trial(NamedTuple):
    """What the rules are, and what came of the connections that were sent."""

    node: str
    """The client's."""
    truth: ServiceChains
    decoy: ServiceChains
    answered: Mapping[str, int]
    """Endpoint (``address:port``) → connections that its server answered."""
    rose: Mapping[str, Mapping[str, int]]
    """Node → chain → by how much its counter rose."""

    @property
    def adds_up(self) -> bool:
        """Whether the client's node counted every connection where it was answered."""
        counted = {target: self.rise(self.node, chain) for chain, target in self.truth.endpoints.items()}
        return sum(self.answered.values()) == CONNECTIONS and all(
            count == self.answered.get(target, 0) for target, count in counted.items()
        )

    def rise(self, node: str, chain: str) -> int | None:
        """By how much a chain's counter rose on a node; None for one that has no endpoint's counter there."""
        return self.rose.get(node, {}).get(chain)


def run(lab: Lab, own: Setting) -> Trial:
    """Read the rules of every node, send, read again. Raises `LabError`.

    A chain that kube-proxy rewrites meanwhile counts from 0 again, so what does not add up is tried again.
    """
    for _ in range(ATTEMPTS):
        seen = _attempt(lab, own)
        if seen.adds_up:
            break
    return seen


def _attempt(lab: Lab, own: Setting) -> Trial:
    client = lab.pod(stage.CLIENT)
    ends = {pod.alias: f"{pod.ip}:{pod.port}" for pod in lab.pods(f"app={own.service}")}
    nodes = [node.name for node in lab.cluster.nodes()]
    before = {node: nat_rules.read(lab, own.service, node) for node in nodes}
    traffic = lab.probe(f"{own.service}:{own.port}", n=CONNECTIONS, source=client, timeout=5)
    rose = {node: nat_rules.read(lab, own.service, node).since(before[node]) for node in nodes}
    answered = {ends[pod]: count for pod, count in traffic.counts.items() if pod in ends}
    return Trial(client.node, before[client.node], nat_rules.read(lab, own.decoy, client.node), answered, rose)


def node_name(lab: Lab, name: str) -> str:
    """A node's whole name, from a part that stands for it (``worker2``). Raises `LabError`."""
    return named_node(lab, name).name
