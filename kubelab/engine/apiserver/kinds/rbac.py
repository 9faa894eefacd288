"""Roles and bindings. Their names may be anything that can stand in a URL: ``system:node``."""

from __future__ import annotations

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.validation import names, rbac
from kubelab.engine.apiserver.validation.fields import FieldError


class RoleKind(Kind):
    """A Role or a ClusterRole."""

    def name_rule(self, name: str) -> list[str]:
        return names.path_segment(name)

    def validate(self, obj: Object) -> list[FieldError]:
        errors = rbac.policy_rules(obj.get("rules") or [], namespaced=self.rtype.namespaced)
        if obj.get("aggregationRule") is not None:
            errors += rbac.aggregation_rule(obj["aggregationRule"])
        return errors


class BindingKind(Kind):
    """A RoleBinding or a ClusterRoleBinding."""

    def name_rule(self, name: str) -> list[str]:
        return names.path_segment(name)

    def default(self, obj: Object) -> None:
        fill(obj.setdefault("roleRef", {}), apiGroup=rbac.GROUP)
        for subject in obj.get("subjects") or []:
            if subject.get("kind") in ("User", "Group"):
                fill(subject, apiGroup=rbac.GROUP)

    def validate(self, obj: Object) -> list[FieldError]:
        return rbac.binding(obj, namespaced=self.rtype.namespaced)

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return rbac.same_role(new, old)
