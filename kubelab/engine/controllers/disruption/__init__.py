"""The disruption controller: how many pods a PodDisruptionBudget can spare at this moment."""

from kubelab.engine.controllers.disruption.controller import DisruptionController

__all__ = ["DisruptionController"]
