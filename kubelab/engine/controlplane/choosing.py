"""Which control plane a cluster has: said when it is made; its objects are there, and so it stays."""

from __future__ import annotations

from typing import cast

from kubelab.engine.controlplane.builtin import BuiltIn
from kubelab.engine.controlplane.contract import ControlPlane, ControlPlaneError, Dial
from kubelab.engine.options import ControlPlaneKind, Options
from kubelab.engine.pki import PKI

BUILT_IN: ControlPlaneKind = "built-in"


def control_plane(options: Options, pki: PKI, token: str, dial: Dial) -> ControlPlane:
    """The one that this cluster has, not started yet. Raises `ControlPlaneError`."""
    kind = _kind(options)
    if kind == BUILT_IN:
        return BuiltIn(options.state, pki, token, dial)
    from kubelab.engine.controlplane.upstream import Upstream

    return Upstream(options.state, options.name, pki, token, dial)


def _kind(options: Options) -> ControlPlaneKind:
    """What was asked for, else what the cluster has. Raises `ControlPlaneError` where the two differ."""
    state, asked = options.state, options.control_plane
    known = "upstream" if state.etcd.exists() else BUILT_IN if state.store.exists() else ""
    if known and asked and known != asked:
        raise ControlPlaneError(
            f"Cluster {options.name!r} has its objects in the {known} control plane: "
            "`kubelab down` takes them away, then another can be chosen."
        )
    return asked or cast("ControlPlaneKind", known or BUILT_IN)
