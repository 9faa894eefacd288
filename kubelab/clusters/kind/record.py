"""What is remembered of a kind cluster between commands, so that no other is ever taken for it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from kubelab.clusters.kind.containers import LABEL, ROLE_LABEL, Container, Engine
from kubelab.engine.state import StateDir

FILE = "kind.json"


@dataclass
class Record:
    """One cluster that kubelab made, or is about to make."""

    engine: str
    """``docker``, ``podman`` or ``nerdctl``."""
    control_plane: str = ""
    """The id of its control plane's container, which no other cluster of the same name has; empty: being created."""
    ports: dict[int, int] = field(default_factory=dict)
    """Port of the ingress → the port of 127.0.0.1 that was drawn for it."""
    lacks: dict[str, str] = field(default_factory=dict)
    """What could not be brought up (``the outside``, ``ingress``) → why."""

    def stands_for(self, engine: Engine, name: str) -> bool:
        """Whether the cluster that is there is this one: by its control plane's id; one that was never finished, by
        the ports that were drawn for it, or when it has no control plane yet. Raises `ClusterError`."""
        if self.control_plane:
            return control_plane(engine, name) == self.control_plane
        if not control_plane(engine, name):
            return True
        # The first is not in older nerdctl (https://github.com/containerd/nerdctl/pull/3812), the second not in what
        # could not be started.
        forms = ("{{json .HostConfig.PortBindings}}", "{{json .NetworkSettings.Ports}}")
        said = " ".join(engine.inspect(f"{name}-control-plane", form) for form in forms)
        return bool(self.ports) and all(f'"{port}"' in said for port in self.ports.values())

    def write(self, state: StateDir) -> None:
        """Keep it. Raises `StateError`."""
        state.write(state.root / FILE, json.dumps(asdict(self), indent=2))
        state.write(state.provider, "kind\n")


def read(state: StateDir) -> Record | None:
    """What was kept; None when there is no cluster on kind here."""
    try:
        kept: dict[str, Any] = json.loads((state.root / FILE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Record(**kept | {"ports": {int(port): local for port, local in kept.get("ports", {}).items()}})


def containers(engine: Engine, name: str) -> list[Container]:
    """The nodes of kind's cluster of this name, whoever made it. Raises `ClusterError`."""
    return engine.containers(**{LABEL: name})


def control_plane(engine: Engine, name: str) -> str:
    """The id of its control plane's container; empty when there is none. Raises `ClusterError`."""
    found = engine.containers(**{LABEL: name, ROLE_LABEL: "control-plane"})
    return found[0].id if found else ""
