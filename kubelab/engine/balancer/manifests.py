"""The rights of the load balancer, as the cloud controller manager of a provider brings them along.

Source: https://kubernetes.io/docs/tasks/administer-cluster/running-cloud-controller/
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

USER = "system:cloud-controller-manager"
_RBAC = "rbac.authorization.k8s.io"


def manifests() -> list[Object]:
    """ClusterRole and ClusterRoleBinding, in the order in which to create them."""
    rule = {"apiGroups": [""], "resources": ["nodes", "services"], "verbs": ["get", "list", "watch"]}
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": USER}
    typed = {"apiVersion": f"{_RBAC}/v1", "metadata": {"name": USER}}
    return [
        {**typed, "kind": "ClusterRole", "rules": [rule]},
        {
            **typed,
            "kind": "ClusterRoleBinding",
            "roleRef": role,
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": USER}],
        },
    ]
