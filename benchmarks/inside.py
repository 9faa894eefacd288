"""Running the client inside the cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kubelab.clusters.base import Cluster
from kubelab.lab import Lab

PROGRAM = Path(__file__).with_name("client.py").read_text()
TIMEOUT_SECONDS = 30


def run_in_node(cluster: Cluster, seconds: float, targets: Sequence[str]) -> Any:
    """What the client measured in the last worker's network."""
    node = cluster.nodes()[-1]
    return _measured(lambda argv: node.run(argv, timeout_seconds=TIMEOUT_SECONDS), seconds, targets)


def run_in_pod(lab: Lab, seconds: float, targets: Sequence[str]) -> Any:
    """What the client measured in the pod ``client``."""
    return _measured(lambda argv: lab.exec("client", argv, TIMEOUT_SECONDS), seconds, targets)


def _measured(run: Callable[[list[str]], Any], seconds: float, targets: Sequence[str]) -> Any:
    done = run(["python3", "-IS", "-c", PROGRAM, str(seconds), *targets])
    if done.code != 0:
        raise SystemExit(f"The client failed: {done.stderr.strip() or done.code}")
    return json.loads(done.stdout)
