"""The DaemonSet controller: one pod on every node that suits."""

from kubelab.engine.controllers.daemonset.controller import DaemonSetController

__all__ = ["DaemonSetController"]
