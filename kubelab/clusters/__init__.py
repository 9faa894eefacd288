"""Where a cluster comes from. `kubelab.clusters.base` is what the lessons count on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubelab.clusters.base import Cluster

DEFAULT_NAME = "kubelab"


def find(name: str | None = None) -> Cluster:
    """The cluster of this name (else ``$KUBELAB_NAME``, else ``kubelab``), running or not; nothing is started.

    Raises `ClusterError` for a name that no cluster can have.
    """
    from kubelab.clusters.embedded import EmbeddedCluster

    return EmbeddedCluster(name or os.environ.get("KUBELAB_NAME") or DEFAULT_NAME)


def attach(name: str | None = None) -> Cluster:
    """The cluster of this name, up: started if need be, and re-attached to if it runs. Raises `ClusterError`."""
    cluster = find(name)
    cluster.up()
    return cluster
