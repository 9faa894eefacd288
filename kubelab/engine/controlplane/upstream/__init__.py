"""Kubernetes' own control plane, as processes of the machine beside the engine."""

from kubelab.engine.controlplane.upstream.plane import Upstream

__all__ = ["Upstream"]
