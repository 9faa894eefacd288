"""The node as its pods' workers see it: everything they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubelab.engine.client import Client
from kubelab.engine.config import NodeSpec
from kubelab.engine.network.contract import Network, Place, node, pod
from kubelab.engine.node.addresses import PodAddresses
from kubelab.engine.node.clock import Clock
from kubelab.engine.node.events import Events
from kubelab.engine.node.machine import Machine
from kubelab.engine.node.settings import NodeSettings
from kubelab.engine.node.sources import Sources
from kubelab.engine.node.status import PodRecord


@dataclass(frozen=True)
class Host:
    """One for a node agent."""

    client: Client
    network: Network
    spec: NodeSpec
    settings: NodeSettings
    machine: Machine
    sources: Sources
    events: Events
    addresses: PodAddresses

    @property
    def clock(self) -> Clock:
        """The agent's clock."""
        return self.settings.clock

    @property
    def place(self) -> Place:
        """The node's own network."""
        return node(self.spec.name)

    @property
    def volumes(self) -> Path:
        """Where the volumes of the node's pods are, a folder a pod UID."""
        return self.settings.state_dir / "volumes" / self.spec.name

    @property
    def logs(self) -> Path:
        """Where their logs are: a folder a pod UID, in it one a container, in it a file a start."""
        return self.settings.state_dir / "logs" / self.spec.name

    def place_of(self, record: PodRecord) -> Place:
        """Where the pod's programs run."""
        if record.pod["spec"].get("hostNetwork"):
            return self.place
        return pod(record.pod["metadata"]["uid"])
