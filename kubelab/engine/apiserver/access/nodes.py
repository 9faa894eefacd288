"""What a node's agent may do: what it needs for the pods that are bound to its node, and nothing of another node.

Two parts of upstream in one: the Node authorizer says what is allowed, and what NodeRestriction refuses in admission is
not allowed here in the first place. Source: https://kubernetes.io/docs/reference/access-authn-authz/node/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access.attributes import Attributes
from kubelab.engine.apiserver.access.policy.roles import NODE_RULES
from kubelab.engine.apiserver.access.rules import Grants
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.storage import Store

_LEASES = "kube-node-lease"
_READS = frozenset({"get", "list", "watch"})


class NodeAuthorizer:
    """Reads the store for which pods are bound to which node."""

    def __init__(self, store: Store) -> None:
        self._pods = store.shelf(r.PODS.storage_key)
        self._grants = Grants(NODE_RULES)

    def refusal(self, node: str, wish: Attributes) -> str | None:
        """Why the node may not do this; None: it may. An empty reason is no opinion: roles may still allow it."""
        if not self._grants.allow(wish):
            return ""
        match wish.group, wish.whole_resource:
            case "", "nodes" | "nodes/status":
                if wish.verb == "create" or wish.name == node:
                    return None
                return f"node '{node}' cannot {_read(wish)} nodes other than its own"
            case "coordination.k8s.io", "leases":
                if wish.namespace == _LEASES and (wish.verb == "create" or wish.name == node):
                    return None
                return f"can only access node lease with the same name as the requesting node in {_LEASES}"
            case "", "pods" | "pods/status" | "pods/eviction":
                return self._pod_refusal(node, wish)
            case "", "secrets" | "configmaps" | "serviceaccounts/token":
                if wish.name and self._needs(node, wish):
                    return None
                return f"no relationship found between node '{node}' and this object"
        return None

    def _pod_refusal(self, node: str, wish: Attributes) -> str | None:
        if wish.verb in ("list", "watch") and not wish.name:
            if wish.fields.get("spec.nodeName") == node:
                return None
            return f"can only list/watch pods with spec.nodeName={node} as field selector"
        stored = self._pods.objects.get((wish.namespace, wish.name))
        if stored is None or stored.obj["spec"].get("nodeName") == node:
            return None  # what is not there is found missing
        return f"no relationship found between node '{node}' and this object"

    def _needs(self, node: str, wish: Attributes) -> bool:
        here = (one.obj for (namespace, _), one in self._pods.objects.items() if namespace == wish.namespace)
        return any(wish.name in _named(pod, wish.resource) for pod in here if pod["spec"].get("nodeName") == node)

    def only_own(self, node: str, resource: str, obj: Object) -> str:
        """What is wrong with an object that the node is about to create (its name is not in the URL)."""
        if resource == "nodes" and obj["metadata"].get("name") != node:
            return f'node "{node}" is not allowed to modify node "{obj["metadata"].get("name", "")}"'
        if resource == "leases" and obj["metadata"].get("name") != node:
            return "can only access node lease with the same name as the requesting node"
        if resource == "pods" and "kubernetes.io/config.mirror" not in (obj["metadata"].get("annotations") or {}):
            why = 'pod does not have "kubernetes.io/config.mirror" annotation'
            return f'{why}, node "{node}" can only create mirror pods'
        return ""


def _read(wish: Attributes) -> str:
    return "read" if wish.verb in _READS else "change"


_MEMBERS = {"secrets": ("secret", "secretName", "secretKeyRef", "secretRef"),
            "configmaps": ("configMap", "name", "configMapKeyRef", "configMapRef")}  # fmt: skip


def _named(pod: Object, resource: str) -> Iterator[str]:
    """The Secrets, ConfigMaps or service account that a pod names."""
    spec = pod["spec"]
    if resource == "serviceaccounts":
        yield spec.get("serviceAccountName") or "default"
        return
    volume, volume_name, key_ref, whole_ref = _MEMBERS[resource]
    if resource == "secrets":
        yield from (one.get("name", "") for one in spec.get("imagePullSecrets") or ())
    for one in spec.get("volumes") or ():
        yield (one.get(volume) or {}).get(volume_name, "")
        for source in (one.get("projected") or {}).get("sources") or ():
            yield (source.get(volume) or {}).get("name", "")
    for container in _containers(spec):
        for entry in container.get("env") or ():
            yield ((entry.get("valueFrom") or {}).get(key_ref) or {}).get("name", "")
        for entry in container.get("envFrom") or ():
            yield (entry.get(whole_ref) or {}).get("name", "")


def _containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for member in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(member) or ()
