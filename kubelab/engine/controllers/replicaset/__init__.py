"""The ReplicaSet controller: as many pods as asked for."""

from kubelab.engine.controllers.replicaset.controller import ReplicaSetController

__all__ = ["ReplicaSetController"]
