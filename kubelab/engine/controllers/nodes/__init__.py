"""Nodes: who has fallen silent, which taints follow, and what becomes of the pods on tainted and removed nodes."""

from kubelab.engine.controllers.nodes.eviction import TaintEvictionController
from kubelab.engine.controllers.nodes.garbage import PodGarbageCollector
from kubelab.engine.controllers.nodes.lifecycle import NodeLifecycleController

__all__ = ["NodeLifecycleController", "PodGarbageCollector", "TaintEvictionController"]
