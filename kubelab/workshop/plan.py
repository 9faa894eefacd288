"""What a workshop is to be: its name, its hosts, and how much of the cluster a learner gets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.roster import LONGEST_LABEL, Learner

LONGEST_NAME = 63 - 1 - LONGEST_LABEL
"""Characters: a namespace is called ``WORKSHOP-LEARNER`` and has at most 63 (RFC 1123)."""
DEFAULT_NAME, DEFAULT_DOMAIN = "workshop", "lab.example.test"
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True)
class Budget:
    """What one learner's pods may ask for together, as Kubernetes writes quantities."""

    cpu: str
    memory: str
    most_memory: str
    """The sum of the limits."""
    pods: int


BUDGETS = {
    "small": Budget("1", "1Gi", "4Gi", 20),
    "medium": Budget("2", "2Gi", "8Gi", 40),
    "large": Budget("4", "4Gi", "16Gi", 80),
}
"""The largest lesson has some twenty pods while one Deployment takes another's place."""

NODE_PORTS = 32767 - 30000 + 1
"""Of a cluster, as far as nobody has changed its range; no API tells it
(https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport)."""
FOR_LEARNERS = NODE_PORTS * 3 // 4
"""The rest is left to what the cluster was made for."""
MOST_NODE_PORTS = 20
"""For one learner, where there are enough."""

SCARCE_NODE_PORTS = 10
"""Whoever gives less hears of it."""


def node_ports(learners: int, promised: int = 0) -> int:
    """How many each of these may have, so that there is one for every promise; ``promised``: to others already."""
    return max(0, min(MOST_NODE_PORTS, (FOR_LEARNERS - promised) // max(1, learners)))


@dataclass(frozen=True)
class Plan:
    """One workshop. Raises `WorkshopError` for a name or a domain that cannot be."""

    name: str = DEFAULT_NAME
    domain: str = DEFAULT_DOMAIN
    budget: Budget = field(default_factory=lambda: BUDGETS["medium"])
    node_ports: int = MOST_NODE_PORTS
    """For each learner's Services of type NodePort and LoadBalancer."""
    guard_hosts: bool = True
    """Whether what would reach into others' traffic is refused, where the cluster can."""

    def __post_init__(self) -> None:
        if not _LABEL.fullmatch(self.name) or len(self.name) > LONGEST_NAME:
            raise WorkshopError(
                f"{self.name!r} cannot be a workshop's name; take letters a-z, digits and -, at most {LONGEST_NAME}."
            )
        labels = self.domain.split(".")
        if not all(len(each) <= 63 and _LABEL.fullmatch(each) for each in labels) or len(self.domain) > 200:
            raise WorkshopError(
                f"{self.domain!r} cannot be a domain; write one below which every learner gets a host, "
                f"for example {DEFAULT_DOMAIN}."
            )

    def namespace(self, learner: Learner) -> str:
        """``workshop-ada``."""
        return f"{self.name}-{learner.label}"

    def host(self, learner: Learner) -> str:
        """``ada.lab.example.test``: the learner's own, with everything below it."""
        return f"{learner.label}.{self.domain}"
