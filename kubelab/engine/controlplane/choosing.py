"""Which control plane a cluster has: said when it is made, kept in its state, and not changed while it lives."""

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
        return BuiltIn(options.state, pki, token)
    from kubelab.engine.controlplane.upstream import Upstream

    return Upstream(options.state, options.name, pki, token, dial)


def _kind(options: Options) -> ControlPlaneKind:
    """What was asked for, else what the cluster has. Raises `ControlPlaneError` where the two differ."""
    state, asked = options.state, options.control_plane
    known = state.control_plane.read_text() if state.control_plane.exists() else ""
    if not known and state.store.exists():
        known = BUILT_IN  # made before there was a choice
    if known and asked and known != asked:
        raise ControlPlaneError(
            f"Cluster {options.name!r} has its objects in the {known} control plane: "
            "`kubelab down` takes them away, then another can be chosen."
        )
    kind = asked or cast("ControlPlaneKind", known or BUILT_IN)
    state.write(state.control_plane, kind)
    return kind
