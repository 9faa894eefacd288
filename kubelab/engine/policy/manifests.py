"""What the cluster has to hold for NetworkPolicies to be enforced: the right to read what they speak of."""

from __future__ import annotations

from kubelab.engine.client import Object

USER = "system:kube-network-policies"
_RBAC = "rbac.authorization.k8s.io"


def manifests() -> list[Object]:
    """A ClusterRole and its binding."""
    read = ["get", "list", "watch"]
    rules = [
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": read},
        {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": read},
    ]
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": USER}, "rules": rules}
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": USER},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": USER},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": USER}],
    }
    return [role, binding]
