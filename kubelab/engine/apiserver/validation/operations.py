"""Rules that say which requests are meant: operations on resources."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, duplicate, invalid, not_supported, required

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")


def rule_errors(rule: Any, here: str) -> list[FieldError]:
    """Everything wrong with one rule."""
    errors: list[FieldError] = []
    asked = rule.get("resourceNames") or []
    for index, name in enumerate(asked):
        where = f"{here}.resourceNames[{index}]"
        errors += [invalid(where, name, problem) for problem in names.path_segment(name)]
        if name in asked[:index]:
            errors.append(duplicate(where, name))
    for member, what in (("operations", "operations"), ("apiGroups", "API groups"), ("apiVersions", "API versions")):
        errors += _some(rule, member, what, here)
    for index, operation in enumerate(rule.get("operations") or []):
        if operation not in _OPERATIONS:
            errors.append(not_supported(f"{here}.operations[{index}]", operation, _OPERATIONS))
    for index, version in enumerate(rule.get("apiVersions") or []):
        if not version:
            errors.append(required(f"{here}.apiVersions[{index}]"))
    errors += _resources(rule.get("resources") or [], f"{here}.resources")
    if rule.get("scope") not in _SCOPES:
        errors.append(not_supported(f"{here}.scope", rule.get("scope"), _SCOPES))
    return errors


def _some(rule: Any, member: str, what: str, here: str) -> list[FieldError]:
    said = rule.get(member) or []
    if not said:
        return [required(f"{here}.{member}")]
    if len(said) > 1 and "*" in said:
        return [invalid(f"{here}.{member}", said, f"if '*' is present, must not specify other {what}")]
    return []


def _resources(resources: list[str], here: str) -> list[FieldError]:
    if not resources:
        return [required(here)]
    errors: list[FieldError] = []
    whole, below = set[str](), set[str]()
    """Resources with ``/*`` behind them, and subresources with ``*/`` before them."""
    for index, one in enumerate(resources):
        resource, slash, sub = one.partition("/")
        if not one:
            errors.append(required(f"{here}[{index}]"))
        if not slash:
            continue
        if resource in whole:
            errors.append(invalid(f"{here}[{index}]", one, f"if '{resource}/*' is present, must not specify {one}"))
        if sub in below:
            errors.append(invalid(f"{here}[{index}]", one, f"if '*/{sub}' is present, must not specify {one}"))
        whole |= {resource} if sub == "*" else set()
        below |= {sub} if resource == "*" else set()
    if len(resources) > 1 and "*/*" in resources:
        errors.append(invalid(here, resources, "if '*/*' is present, must not specify other resources"))
    if "*" in resources and any("/" not in one for one in resources if one not in ("*", "")):
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid(here, resources, why))
    return errors
