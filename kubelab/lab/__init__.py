"""What a lesson does to a cluster, in a learner's words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kubelab.lab.errors import ApiError, BadManifest, CannotRun, LabError, TimedOut

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

__all__ = ["ApiError", "BadManifest", "CannotRun", "Lab", "LabError", "TimedOut", "connect", "current"]

NAMESPACE_VARIABLE = "KUBELAB_NAMESPACE"
"""Set in a workshop: the one namespace that a learner may use, whatever the lesson would call its own."""

DEFAULT_NAMESPACE = "lab"

_current: Lab | None = None


def connect(namespace: str | None = None) -> Lab:
    """Attach to the cluster that runs, or start the embedded one, and work in a namespace of it.

    The namespace is made with the first object. ``KUBELAB_NAMESPACE`` in the environment has the last word. On a
    cluster of which one namespace may be used, that one is called as the lesson calls its own.
    Raises `kubelab.clusters.base.ClusterError`.
    """
    from kubelab.clusters import attach
    from kubelab.lab.api import KubeconfigApi
    from kubelab.lab.lab import Lab
    from kubelab.lab.skipping import in_notebooks

    global _current
    in_notebooks()
    cluster, lesson = attach(), namespace or DEFAULT_NAMESPACE
    api = KubeconfigApi(cluster.kubeconfig)
    if own := cluster.namespace:
        from kubelab.lab.guest import GuestApi

        _current = Lab(cluster, GuestApi(api, lesson, own, cluster.image, cluster.host, cluster.ingress_class), lesson)
    else:
        _current = Lab(cluster, api, os.environ.get(NAMESPACE_VARIABLE) or lesson)
    return _current


def current() -> Lab:
    """The lab of the last `connect`. Raises `LabError` when there was none."""
    if _current is None:
        raise LabError("There is no cluster yet; run `lab = kubelab.connect()` first.")
    return _current


def __getattr__(name: str) -> object:
    if name == "Lab":
        from kubelab.lab.lab import Lab

        return Lab
    raise AttributeError(f"module 'kubelab.lab' has no attribute {name!r}")
