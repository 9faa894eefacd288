"""The rules of roles and bindings, as Kubernetes 1.36 has them.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, invalid, not_supported, required
from kubelab.engine.apiserver.validation.metadata import label_selector

GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("Group", "ServiceAccount", "User")


def policy_rules(rules: list[Any], *, namespaced: bool) -> list[FieldError]:
    """Everything wrong with the rules of a role."""
    return [error for index, rule in enumerate(rules) for error in _rule(rule, f"rules[{index}]", namespaced)]


def _rule(rule: Any, here: str, namespaced: bool) -> list[FieldError]:
    errors = [] if rule.get("verbs") else [required(f"{here}.verbs", "verbs must contain at least one value")]
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            errors.append(invalid(f"{here}.nonResourceURLs", urls, why))
        if any(rule.get(member) for member in ("apiGroups", "resources", "resourceNames")):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(invalid(f"{here}.nonResourceURLs", urls, why))
        return errors
    if not rule.get("apiGroups"):
        errors.append(required(f"{here}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{here}.resources", "resource rules must supply at least one resource"))
    return errors


def aggregation_rule(rule: Any) -> list[FieldError]:
    """Everything wrong with the selectors of an aggregated ClusterRole."""
    here, selectors = "aggregationRule.clusterRoleSelectors", rule.get("clusterRoleSelectors") or []
    if not selectors:
        return [required(here, "at least one clusterRoleSelector required if aggregationRule is non-nil")]
    return [error for index, one in enumerate(selectors) for error in label_selector(one, f"{here}[{index}]")]


def binding(obj: Object, *, namespaced: bool) -> list[FieldError]:
    """Everything wrong with what a binding binds, and to whom."""
    kinds = ("ClusterRole", "Role") if namespaced else ("ClusterRole",)
    reference = obj.get("roleRef") or {}
    group, kind, name = reference.get("apiGroup", ""), reference.get("kind", ""), reference.get("name", "")
    errors = [] if group == GROUP else [not_supported("roleRef.apiGroup", group, (GROUP,))]
    if kind not in kinds:
        errors.append(not_supported("roleRef.kind", kind, kinds))
    errors += names.all_of("roleRef.name", name, names.path_segment(name))
    for index, subject in enumerate(obj.get("subjects") or []):
        errors += _subject(subject, f"subjects[{index}]", namespaced)
    return errors


def _subject(subject: Any, here: str, namespaced: bool) -> list[FieldError]:
    kind, name, group = subject.get("kind", ""), subject.get("name", ""), subject.get("apiGroup", "")
    errors = [] if name else [required(f"{here}.name")]
    if kind not in _SUBJECTS:
        return [*errors, not_supported(f"{here}.kind", kind, _SUBJECTS)]
    if kind == "ServiceAccount":
        errors += [invalid(f"{here}.name", name, why) for why in (names.dns1123_subdomain(name) if name else ())]
        if group:
            errors.append(not_supported(f"{here}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            errors.append(required(f"{here}.namespace"))
        return errors
    if not name:
        errors.append(invalid(f"{here}.name", name, f"{kind.lower()} name cannot be empty"))
    if group != GROUP:
        errors.append(not_supported(f"{here}.apiGroup", group, (GROUP,)))
    return errors


def same_role(new: Object, old: Object) -> list[FieldError]:
    """A binding can never lead to another role: who may write bindings must not get more by it unseen."""
    before, after = old.get("roleRef") or {}, new.get("roleRef") or {}
    if before == after:
        return []
    shown = {member[:1].upper() + member[1:]: after.get(member, "") for member in ("kind", "name")}
    return [invalid("roleRef", {"APIGroup": after.get("apiGroup", ""), **shown}, "cannot change roleRef")]
