"""Roles and bindings: ``rbac.authorization.k8s.io``."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import ResourceType

_GROUP = "rbac.authorization.k8s.io"
_RBAC = "io.k8s.api.rbac.v1."

ROLES = ResourceType(_GROUP, "v1", "roles", "role", "Role", _RBAC + "Role", create_on_update=True)
ROLEBINDINGS = ResourceType(
    _GROUP, "v1", "rolebindings", "rolebinding", "RoleBinding", _RBAC + "RoleBinding", create_on_update=True
)
CLUSTERROLES = ResourceType(
    _GROUP,
    "v1",
    "clusterroles",
    "clusterrole",
    "ClusterRole",
    _RBAC + "ClusterRole",
    namespaced=False,
    create_on_update=True,
)
CLUSTERROLEBINDINGS = ResourceType(
    _GROUP,
    "v1",
    "clusterrolebindings",
    "clusterrolebinding",
    "ClusterRoleBinding",
    _RBAC + "ClusterRoleBinding",
    namespaced=False,
    create_on_update=True,
)
