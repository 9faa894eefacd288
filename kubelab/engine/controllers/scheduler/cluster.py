"""The cluster as the scheduler sees it for one decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kubelab.engine.client import Object
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.pods import is_finished


class Cluster:
    """Nodes, and the pods on them that have not ended, with those just given a node.

    ``namespaces`` maps a namespace to its labels.
    """

    def __init__(
        self, nodes: Sequence[Object], pods: Iterable[Object], namespaces: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.nodes = nodes
        self.namespaces = namespaces or {}
        self._pods: dict[str, list[Object]] = {node["metadata"]["name"]: [] for node in nodes}
        for pod in pods:
            if pod["spec"].get("nodeName") in self._pods and not is_finished(pod):
                self._pods[pod["spec"]["nodeName"]].append(pod)
        self._choosy = [(pod, node) for pod, node in self.placed() if pod["spec"].get("affinity")]

    def pods_on(self, node: Object) -> list[Object]:
        """The pods on a node."""
        return self._pods[node["metadata"]["name"]]

    def placed(self) -> Iterator[tuple[Object, Object]]:
        """Every pod on a node with its node."""
        for node in self.nodes:
            for pod in self.pods_on(node):
                yield pod, node

    def choosy(self) -> Sequence[tuple[Object, Object]]:
        """Those of `placed` that have affinities of their own: few, as a rule."""
        return self._choosy


def domain(node: Object, key: str) -> str | None:
    """The value of a topology key, e.g. the node's zone; None when the node has none."""
    return labels_of(node).get(key)
