"""ValidatingAdmissionPolicies and what binds them to requests.

Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.validation.admission import binding_spec, policy_spec
from kubelab.engine.apiserver.validation.fields import FieldError

_NO_AUDIT_LOG = "there is no audit log here; what belongs there goes to the engine's log"


class AdmissionPolicyKind(Kind):
    """A policy. Nothing checks its expressions against the types of fields, so its status stays empty."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        fill(spec, failurePolicy="Fail")
        _default_resources(spec.get("matchConstraints"))

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = {}
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return policy_spec(obj["spec"], obj["metadata"].get("name", ""))

    def warnings(self, obj: Object) -> list[str]:
        if not obj["spec"].get("auditAnnotations"):
            return []
        return ["spec.auditAnnotations: not evaluated, as there is no audit log here"]


class PolicyBindingKind(Kind):
    """A binding: for which requests a policy counts, and what becomes of those that it is against."""

    def default(self, obj: Object) -> None:
        _default_resources(obj.setdefault("spec", {}).get("matchResources"))

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return binding_spec(obj["spec"])

    def warnings(self, obj: Object) -> list[str]:
        audits = "Audit" in (obj["spec"].get("validationActions") or ())
        return [f"spec.validationActions: {_NO_AUDIT_LOG}"] if audits else []


def _default_resources(resources: Any) -> None:
    if resources is None:
        return
    fill(resources, matchPolicy="Equivalent")
    for selector in ("namespaceSelector", "objectSelector"):
        resources.setdefault(selector, {})
    for member in ("resourceRules", "excludeResourceRules"):
        for rule in resources.get(member) or []:
            fill(rule, scope="*")
