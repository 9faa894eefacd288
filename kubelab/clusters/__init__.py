"""Where a cluster comes from. `kubelab.clusters.base` is what the lessons count on.

Which provider a cluster's name stands for is remembered in its state directory, from `KUBELAB_ON` or ``kubelab up
--on …`` until ``kubelab down``. A provider's modules are loaded when a cluster of it is asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubelab.clusters.base import Cluster
    from kubelab.engine.state import StateDir

DEFAULT_NAME = "kubelab"
DEFAULT_PROVIDER = "embedded"
PROVIDERS = {
    "embedded": "kubelab.clusters.embedded:EmbeddedCluster",
    "kind": "kubelab.clusters.kind.cluster:KindCluster",
    "existing": "kubelab.clusters.existing.cluster:ExistingCluster",
}
"""What can be under a name → module and class, which is made from the name."""


def find(name: str | None = None, on: str | None = None) -> Cluster:
    """The cluster of this name (else ``$KUBELAB_NAME``, else ``kubelab``), running or not; nothing is started.

    ``on`` is the provider of a cluster that is not there yet (else ``$KUBELAB_ON``, else the embedded one). Raises
    `ClusterError` for a name that no cluster can have, and when the cluster is there on another provider than ``on``.
    """
    from kubelab.clusters.base import ClusterError
    from kubelab.engine.state import StateError, state_of

    name = os.environ.get("KUBELAB_NAME") or DEFAULT_NAME if name is None else name
    try:
        state = state_of(name)
    except StateError as error:
        raise ClusterError(str(error)) from error
    known, asked = provider_of(state), on or os.environ.get("KUBELAB_ON") or DEFAULT_PROVIDER
    if on and known and known != on:
        raise ClusterError(
            f"Cluster {name!r} is on {known}: `kubelab down --name {name}` takes it away, or give the one on {on} "
            "another --name."
        )
    if (known or asked) not in PROVIDERS:
        raise ClusterError(f"There are no clusters on {known or asked!r}, only on {', '.join(PROVIDERS)}.")
    return _load(PROVIDERS[known or asked], name)


def can_be_forgotten(name: str) -> bool:
    """Whether a cluster is known by this name that is more than a process of this machine."""
    from kubelab.engine.state import state_of

    return provider_of(state_of(name)) not in ("", DEFAULT_PROVIDER)


def forget(name: str) -> None:
    """Let go of a kind or existing cluster without asking it: it is gone for good. What is left of it stays.

    Raises `ClusterError` when there is none.
    """
    from kubelab.clusters.base import ClusterError
    from kubelab.engine.state import StateError, state_of

    try:
        if not can_be_forgotten(name):
            raise ClusterError(
                f"There is no kind or existing cluster {name!r}; an embedded one ends with `down` alone."
            )
        state = state_of(name)
        with state.changing():
            state.clean()
    except StateError as error:
        raise ClusterError(str(error)) from error


def provider_of(state: StateDir) -> str:
    """On what the cluster of this state is; empty when there is none."""
    if not state.exists():
        return ""
    try:
        return state.provider.read_text().strip() or DEFAULT_PROVIDER
    except FileNotFoundError:
        return DEFAULT_PROVIDER


def attach(name: str | None = None) -> Cluster:
    """The cluster of this name, up: started if need be, and re-attached to if it runs. Raises `ClusterError`."""
    cluster = find(name)
    cluster.up()
    return cluster


def _load(place: str, name: str) -> Cluster:
    from importlib import import_module

    module, _, class_name = place.partition(":")
    cluster: Cluster = getattr(import_module(module), class_name)(name)
    return cluster
