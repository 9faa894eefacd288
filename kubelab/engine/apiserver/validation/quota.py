"""The rules of a ResourceQuota and of a LimitRange, as Kubernetes 1.36 has them.

Sources: https://kubernetes.io/docs/concepts/policy/resource-quotas/ and .../limit-range/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, duplicate, forbidden, invalid, required
from kubelab.engine.apiserver.validation.resources import STANDARD_QUOTA, amount, container_resource, quota_name
from kubelab.engine.quantity import value

Spec = dict[str, Any]

_OF_PODS = frozenset({"pods", "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"})
_SCOPES = {
    "Terminating": _OF_PODS,
    "NotTerminating": _OF_PODS,
    "BestEffort": frozenset({"pods"}),
    "NotBestEffort": _OF_PODS,
    "PriorityClass": _OF_PODS,
    "CrossNamespacePodAffinity": _OF_PODS,
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}
"""Scope → the standard resources that can be counted in it."""
_EXISTS_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_EXCLUSIVE = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")


def quota_spec(spec: Spec) -> list[FieldError]:
    """Everything wrong with a ResourceQuota's spec."""
    hard = spec.get("hard") or {}
    errors = amounts(hard, "spec.hard")
    scopes = spec.get("scopes") or []
    for scope in scopes:
        errors += _scope(scope, hard, "spec.scopes", scopes)
    errors += _conflict(scopes, "spec.scopes", scopes)
    terms = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    for term in terms:
        errors += _scope_term(term, hard, terms)
    return errors + _conflict((term.get("scopeName") for term in terms), _TERMS, terms)


def amounts(held: dict[str, str], at: str) -> list[FieldError]:
    """Everything wrong with amounts by the names of a quota."""
    errors: list[FieldError] = []
    for name in sorted(held):
        errors += quota_name(name, f"{at}[{name}]") + amount(name, held[name], f"{at}[{name}]")
    return errors


_TERMS = "spec.scopeSelector.matchExpressions"


def _scope(scope: str, hard: Iterable[str], at: str, shown: Any) -> list[FieldError]:
    if scope not in _SCOPES:
        return [invalid(at, shown, "unsupported scope")]
    return [
        invalid(at, shown, "unsupported scope applied to resource")
        for name in sorted(hard)
        if name in STANDARD_QUOTA and name not in _SCOPES[scope]
    ]


def _scope_term(term: Spec, hard: Iterable[str], terms: list[Spec]) -> list[FieldError]:
    scope, operator, values = term.get("scopeName", ""), term.get("operator", ""), term.get("values") or []
    if scope not in _SCOPES:
        errors = [invalid(f"{_TERMS}.scopeName", scope, "unsupported scope")]
    else:
        errors = _scope(scope, hard, _TERMS, terms)
    if scope in _EXISTS_ONLY and operator != "Exists":
        listed = ", ".join(f"ResourceQuotaScope{name}" for name in ("Terminating", "NotTerminating", "BestEffort"))
        why = f"must be 'Exist' when scope is any of {listed}, ResourceQuotaScopeNotBestEffort or "
        errors.append(invalid(f"{_TERMS}.operator", operator, f"{why}ResourceQuotaScopeCrossNamespacePodAffinity"))
    if operator in ("In", "NotIn"):
        if not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            errors.append(required(f"{_TERMS}.values", why))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errors.append(invalid(f"{_TERMS}.values", values, why))
    else:
        errors.append(invalid(f"{_TERMS}.operator", operator, "not a valid selector operator"))
    return errors


def _conflict(scopes: Iterable[Any], at: str, shown: Any) -> list[FieldError]:
    named = set(scopes)
    return [invalid(at, shown, "conflicting scopes") for pair in _EXCLUSIVE if pair <= named]


# -- LimitRange --------------------------------------------------------------------------------


def limits(items: list[Spec]) -> list[FieldError]:
    """Everything wrong with a LimitRange's limits."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        here, kind = f"spec.limits[{index}]", item.get("type", "")
        problems = names.qualified_name(kind)
        if not problems and "/" not in kind and kind not in _LIMIT_TYPES:
            problems = ["must be a standard limit type or fully qualified"]
        errors += [invalid(f"{here}.type", kind, problem) for problem in problems]
        if kind in seen:
            errors.append(duplicate(f"{here}.type", kind))
        seen.add(kind)
        errors += _limit(item, kind, here)
    return errors


def _limit(item: Spec, kind: str, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    keys: set[str] = set()
    for member in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        held = item.get(member) or {}
        if kind == "Pod" and member.startswith("default"):
            if held:
                errors.append(forbidden(f"{here}.{member}", "may not be specified when `type` is 'Pod'"))
            continue
        keys.update(held)
        if kind in ("Container", "Pod"):
            for name in sorted(held):
                errors += container_resource(name, f"{here}.{member}[{name}]")
    if kind == "PersistentVolumeClaim" and not any("storage" in (item.get(side) or {}) for side in ("min", "max")):
        why = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(required(f"{here}.limits", why))
    for name in sorted(keys):
        errors += _in_order(name, item, here)
    return errors


_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip
"""The smaller, the larger, the field of the error, whose value it shows, and the words."""


def _in_order(name: str, item: Spec, here: str) -> list[FieldError]:
    held = {member: (item.get(member) or {}).get(name) for member in ("min", "max", "default", "defaultRequest")}
    errors: list[FieldError] = []
    for smaller, larger, field, shown, words in _ORDER:
        low, high = held[smaller], held[larger]
        if low is not None and high is not None and value(low) > value(high):
            errors.append(invalid(f"{here}.{field}[{name}]", held[shown], words.format(low, high)))
    ratio = (item.get("maxLimitRequestRatio") or {}).get(name)
    if ratio is None:
        return errors
    at = f"{here}.maxLimitRequestRatio[{name}]"
    if value(ratio) < 1:
        errors.append(invalid(at, ratio, f"ratio {ratio} is less than 1"))
    least, most = held["min"], held["max"]
    if least is not None and most is not None and value(least) and value(ratio) > value(most) / value(least):
        furthest = float(value(most) / value(least))
        errors.append(invalid(at, ratio, f"ratio {ratio} is greater than max/min = {furthest:f}"))
    return errors
