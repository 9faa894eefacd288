"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kubelab.clusters.base import Cluster

name_option: Callable[[Any], Any] = click.option(
    "--name", metavar="NAME", envvar="KUBELAB_NAME", default="kubelab", show_default=True, help="Which cluster."
)

on_option: Callable[[Any], Any] = click.option(
    "--on",
    type=click.Choice(["embedded", "kind", "existing"]),
    help="What is under it; kept until `down`.  [default: $KUBELAB_ON, else embedded]",
)


def running(name: str) -> Cluster:
    """The cluster of this name. Raises `ClusterError` when it is not up."""
    from kubelab.clusters import find
    from kubelab.clusters.base import ClusterError

    cluster = find(name)
    status = cluster.status()
    if not status.running:
        raise ClusterError(status.detail)
    return cluster
