"""The node agent: kubelet's part of a node."""

from kubelab.engine.node.agent import NodeAgent
from kubelab.engine.node.settings import NodeSettings

__all__ = ["NodeAgent", "NodeSettings"]
