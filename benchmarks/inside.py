"""Running the client in a worker's network."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubelab.clusters.base import Cluster

PROGRAM = Path(__file__).with_name("client.py").read_text()
PYTHON = getattr(sys, "_base_executable", sys.executable)


def run_client(cluster: Cluster, seconds: float, targets: Sequence[str]) -> Any:
    """What the client measured; the worker is the last node."""
    node = cluster.nodes()[-1]
    argv = [PYTHON, "-I", "-S", "-c", PROGRAM, str(seconds), *targets]
    done = node.run(argv, timeout_seconds=seconds + 30)
    if done.code != 0:
        raise SystemExit(f"The client failed in {node.name}: {done.stderr.strip()}")
    return json.loads(done.stdout)
