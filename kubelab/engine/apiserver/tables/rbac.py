"""The columns of roles and bindings."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.tables import cells as c
from kubelab.engine.apiserver.tables.cells import AGE, NAME, Column, wide

ROLE_COLUMNS = (NAME, Column("Created At", "date", description="When it was created."))

BINDING_COLUMNS = (
    NAME,
    Column("Role", description="The role whose rights are given."),
    AGE,
    wide("Users", "The users that are bound."),
    wide("Groups", "The groups that are bound."),
    wide("ServiceAccounts", "The service accounts that are bound."),
)


def role_cells(obj: Object, _now: float) -> list[Any]:
    """One row for a Role or a ClusterRole."""
    return [obj["metadata"]["name"], obj["metadata"]["creationTimestamp"]]


def binding_cells(obj: Object, now: float) -> list[Any]:
    """One row for a RoleBinding or a ClusterRoleBinding."""
    role, subjects = obj["roleRef"], obj.get("subjects") or []
    named = {kind: [one["name"] for one in subjects if one.get("kind") == kind] for kind in ("User", "Group")}
    accounts = [f"{one.get('namespace', '')}/{one['name']}" for one in subjects if one.get("kind") == "ServiceAccount"]
    row = [obj["metadata"]["name"], f"{role['kind']}/{role['name']}", c.age(obj, now)]
    return [*row, ", ".join(named["User"]), ", ".join(named["Group"]), ", ".join(accounts)]
