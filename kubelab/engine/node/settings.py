"""What the composition root decides for a node agent, and where it keeps things."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.engine.node.clock import Clock, SystemClock


@dataclass(frozen=True)
class NodeSettings:
    """Where a node agent keeps things and how it listens."""

    state_dir: Path
    """May be shared by several agents: ``volumes`` and ``logs`` in it have a folder a node."""
    kubelet_tls: ssl.SSLContext | None = None
    """For the kubelet API (logs, exec), client certificates required. None: it is not served."""
    lease_seconds: float = 10
    look_seconds: float = 10
    """Between two looks at the node's own object, which somebody else may have changed."""
    report_seconds: float = 300
    """After which the status is written although nothing has changed."""
    reached: Callable[[], bool] = lambda: True
    """Whether the API server's requests come through to the kubelet API now."""
    clock: Clock = field(default_factory=SystemClock)

    @property
    def links(self) -> Path:
        """The folder that comes first on every container's PATH."""
        return self.state_dir / "bin"
