"""The rules of where a pod may run: tolerations, affinity, spread, and what keeps it from being scheduled.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#scheduling
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    required,
)
from kubelab.engine.apiserver.validation.metadata import label_selector

Spec = dict[str, Any]

_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_OPERATORS = ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")


def placing(spec: Spec, at: str) -> list[FieldError]:
    """Everything wrong with what a pod's spec says of where it may run."""
    errors = names.labels(spec.get("nodeSelector"), f"{at}.nodeSelector")
    errors += _tolerations(spec.get("tolerations") or [], f"{at}.tolerations")
    errors += _affinity(spec.get("affinity") or {}, f"{at}.affinity")
    errors += _spread(spec.get("topologySpreadConstraints") or [], f"{at}.topologySpreadConstraints")
    gates = [gate.get("name", "") for gate in spec.get("schedulingGates") or []]
    for index, name in enumerate(gates):
        here = f"{at}.schedulingGates[{index}]"
        errors += [invalid(here, name, problem) for problem in names.qualified_name(name)]
        errors += [duplicate(here, name)] if name in gates[:index] else []
    for index, gate in enumerate(spec.get("readinessGates") or []):
        kind = gate.get("conditionType", "")
        here = f"{at}.readinessGates[{index}].conditionType"
        errors += [invalid(here, kind, problem) for problem in names.qualified_name(kind)]
    if gates and spec.get("nodeName"):
        errors.append(forbidden(f"{at}.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return errors


def _tolerations(tolerations: list[Spec], at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        here, operator = f"{at}[{index}]", toleration.get("operator") or "Equal"
        key, effect = toleration.get("key"), toleration.get("effect")
        if key:
            errors += [invalid(f"{here}.key", key, problem) for problem in names.qualified_name(key)]
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(invalid(f"{here}.operator", operator, why))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(invalid(f"{here}.effect", effect or "", why))
        if operator not in ("Equal", "Exists", "Gt", "Lt"):
            errors.append(not_supported(f"{here}.operator", operator, ("Equal", "Exists")))
        if operator == "Exists" and toleration.get("value"):
            why = "value must be empty when `operator` is 'Exists'"
            errors.append(invalid(f"{here}.operator", operator, why))
        if effect and effect not in _EFFECTS:
            errors.append(not_supported(f"{here}.effect", effect, _EFFECTS))
    return errors


def _affinity(affinity: Spec, at: str) -> list[FieldError]:
    errors = _node_affinity(affinity.get("nodeAffinity") or {}, f"{at}.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        rules, here = affinity.get(kind) or {}, f"{at}.{kind}"
        for index, term in enumerate(rules.get(_REQUIRED) or []):
            errors += _pod_term(term, f"{here}.{_REQUIRED}[{index}]")
        for index, choice in enumerate(rules.get(_PREFERRED) or []):
            errors += _weight(choice, f"{here}.{_PREFERRED}[{index}]")
            errors += _pod_term(choice.get("podAffinityTerm") or {}, f"{here}.{_PREFERRED}[{index}].podAffinityTerm")
    return errors


def _node_affinity(rules: Spec, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if rules.get(_REQUIRED) is not None:
        here, terms = f"{at}.{_REQUIRED}.nodeSelectorTerms", rules[_REQUIRED].get("nodeSelectorTerms") or []
        errors += [] if terms else [required(here, "must have at least one node selector term")]
        for index, term in enumerate(terms):
            errors += _node_term(term, f"{here}[{index}]")
    for index, choice in enumerate(rules.get(_PREFERRED) or []):
        errors += _weight(choice, f"{at}.{_PREFERRED}[{index}]")
        errors += _node_term(choice.get("preference") or {}, f"{at}.{_PREFERRED}[{index}].preference")
    return errors


def _node_term(term: Spec, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, one in enumerate(term.get("matchExpressions") or []):
        here, operator, values = f"{at}.matchExpressions[{index}]", one.get("operator"), one.get("values") or []
        if operator in ("In", "NotIn") and not values:
            errors.append(required(f"{here}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden(f"{here}.values", why))
        elif operator in ("Gt", "Lt") and len(values) != 1:
            why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            errors.append(required(f"{here}.values", why))
        elif operator not in _OPERATORS:
            errors.append(invalid(f"{here}.operator", operator or "", "not a valid selector operator"))
        key = one.get("key", "")
        errors += [invalid(f"{here}.key", key, problem) for problem in names.qualified_name(key)]
    return errors


def _pod_term(term: Spec, at: str) -> list[FieldError]:
    errors = label_selector(term["labelSelector"], f"{at}.labelSelector") if term.get("labelSelector") else []
    key = term.get("topologyKey", "")
    if not key:
        return [*errors, required(f"{at}.topologyKey", "can not be empty")]
    return errors + [invalid(f"{at}.topologyKey", key, problem) for problem in names.qualified_name(key)]


def _weight(choice: Spec, at: str) -> list[FieldError]:
    weight = choice.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid(f"{at}.weight", weight, "must be in the range 1-100")]


def _spread(constraints: list[Spec], at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(constraints):
        here, key, otherwise = f"{at}[{index}]", one.get("topologyKey", ""), one.get("whenUnsatisfiable", "")
        if one.get("maxSkew", 0) <= 0:
            errors.append(invalid(f"{here}.maxSkew", one.get("maxSkew", 0), "must be greater than zero"))
        if not key:
            errors.append(required(f"{here}.topologyKey", "can not be empty"))
        if otherwise not in ("DoNotSchedule", "ScheduleAnyway"):
            supported = ("DoNotSchedule", "ScheduleAnyway")
            errors.append(not_supported(f"{here}.whenUnsatisfiable", otherwise, supported))
        if (key, otherwise) in seen:
            errors.append(duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {otherwise}}}"))
        seen.add((key, otherwise))
    return errors
