"""The rules that a proxy would load, as text, for people to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.endpoints import NodeView
from kubelab.engine.proxy.iptables import compile_rules
from kubelab.engine.proxy.state import ProxyState

Object = dict[str, Any]


def rules_text(
    mode: str, node_name: str, objects: Mapping[str, Sequence[Object]], cluster_cidr: str | None = None
) -> str:
    """The input of ``iptables-restore`` for a node.

    ``objects`` holds lists of API objects under ``services``, ``endpointslices`` and ``nodes``. Raises ValueError for
    a mode that is not compiled here.
    """
    if mode != "iptables":
        raise ValueError(f"mode {mode!r} is not available; available: iptables")
    own = (node for node in objects.get("nodes", ()) if node["metadata"]["name"] == node_name)
    node = NodeView.of(node_name, next(own, None))
    state = ProxyState.of(node, objects.get("services", ()), objects.get("endpointslices", ()))
    return compile_rules(state, ProxyConfig(cluster_cidr=cluster_cidr or "")).text()
