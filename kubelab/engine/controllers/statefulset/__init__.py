"""The StatefulSet controller: pods with names that stay, one after the other."""

from kubelab.engine.controllers.statefulset.controller import StatefulSetController

__all__ = ["StatefulSetController"]
