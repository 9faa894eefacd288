"""What is left of a cluster that did not come up: a folder of logs that outlives it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.program import Kind, complaint
from kubelab.engine.state import home

FOLDER = ".evidence"
KIND_LOG = "kind.log"


def keep(kind: Kind, name: str) -> Path:
    """Save the logs of nodes and pods, as far as there are any, and kind's own; where they are."""
    folder = home() / FOLDER / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kind.export_logs(name, folder)  # what it says, also when it fails, is in its log
    with suppress(FileNotFoundError):
        shutil.copy(kind.log, folder / KIND_LOG)
    return folder


def export(kind: Kind, name: str, folder: Path) -> None:
    """Write the logs of nodes and pods below a folder. Raises `ClusterError`."""
    done = kind.export_logs(name, folder)
    if done.code:
        raise ClusterError(f"kind could not export the logs to {folder}: {complaint(done.stderr)} (see {kind.log}).")
