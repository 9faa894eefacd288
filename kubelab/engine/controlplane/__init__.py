"""The control plane: ours, in the engine's process, or the real one beside it. Chosen once in a cluster's life."""

from kubelab.engine.controlplane.choosing import control_plane
from kubelab.engine.controlplane.contract import ControlPlane, ControlPlaneError, Served

__all__ = ["ControlPlane", "ControlPlaneError", "Served", "control_plane"]
