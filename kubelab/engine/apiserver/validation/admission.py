"""The rules of ValidatingAdmissionPolicies and their bindings, as Kubernetes 1.36 has them.

Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from kubelab.engine.apiserver.custom.cel import RESERVED
from kubelab.engine.apiserver.judging.expressions import compile_error
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    one_of,
    required,
)
from kubelab.engine.apiserver.validation.metadata import label_selector
from kubelab.engine.apiserver.validation.operations import rule_errors

_REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
_ACTIONS = ("Audit", "Deny", "Warn")
_MOST_CONDITIONS = 64
_NO_PARAMETERS = "parameters are not read by kubelab's API server; write their values into the expressions"


def policy_spec(spec: Any, name: str) -> list[FieldError]:
    """Everything wrong with a policy's spec; ``name`` is the policy's."""
    errors = one_of("spec.failurePolicy", spec.get("failurePolicy"), ("Fail", "Ignore"))
    if spec.get("paramKind") is not None:
        errors.append(forbidden("spec.paramKind", _NO_PARAMETERS))
    constraints, here = spec.get("matchConstraints"), "spec.matchConstraints"
    if constraints is None:
        errors.append(required(here))
    else:
        errors += match_resources(constraints, here)
        if not constraints.get("resourceRules"):
            errors.append(required(f"{here}.resourceRules"))
    errors += _conditions(spec.get("matchConditions") or [], "spec.matchConditions")
    variables: list[str] = []
    for index, variable in enumerate(spec.get("variables") or []):
        errors += _variable(variable, variables, f"spec.variables[{index}]")
        variables.append(variable.get("name", ""))
    annotations = spec.get("auditAnnotations") or []
    if not spec.get("validations") and not annotations:
        why = "validations or auditAnnotations must contain at least one item"
        errors += [required(f"spec.{member}", why) for member in ("validations", "auditAnnotations")]
    for index, validation in enumerate(spec.get("validations") or []):
        errors += _validation(validation, variables, f"spec.validations[{index}]")
    for index, annotation in enumerate(annotations):
        here = f"spec.auditAnnotations[{index}]"
        key = f"{name}/{annotation.get('key', '')}"
        errors += [invalid(f"{here}.key", key, problem) for problem in names.qualified_name(key)]
        errors += _expression(annotation, "valueExpression", variables, here, "valueExpression is not specified")
    return errors


def _conditions(conditions: list[Any], here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(conditions) > _MOST_CONDITIONS:
        why = f"must have at most {_MOST_CONDITIONS} items"
        errors.append(FieldError("FieldValueTooMany", here, len(conditions), why))
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        name, where = condition.get("name", ""), f"{here}[{index}]"
        errors += _expression(condition, "expression", None, where)
        if not name:
            errors.append(required(f"{where}.name"))
        errors += [invalid(f"{where}.name", name, why) for why in (names.qualified_name(name) if name else ())]
        if name in seen:
            errors.append(duplicate(f"{where}.name", name))
        seen.add(name)
    return errors


def _variable(variable: Any, before: list[str], here: str) -> list[FieldError]:
    name = variable.get("name", "")
    if not name.strip():
        errors = [required(f"{here}.name", "name is not specified")]
    elif not re.fullmatch(r"[_a-zA-Z][_a-zA-Z0-9]*", name) or name in RESERVED:
        errors = [invalid(f"{here}.name", name, "name is not a valid CEL identifier")]
    elif name in before:
        errors = [duplicate(f"{here}.name", name)]
    else:
        errors = []
    return errors + _expression(variable, "expression", before, here, "expression is not specified")


def _validation(validation: Any, variables: list[str], here: str) -> list[FieldError]:
    errors = _expression(validation, "expression", variables, here, "expression is not specified")
    if said := validation.get("messageExpression", ""):
        if said.strip():
            errors += _expression(validation, "messageExpression", variables, here, authorizes=False)
        else:
            errors.append(invalid(f"{here}.messageExpression", said, "must be non-empty if specified"))
    if said := validation.get("message", ""):
        if not said.strip():
            errors.append(invalid(f"{here}.message", said, "message must be non-empty if specified"))
        elif re.search(r"[\n\r]", said.strip()):
            errors.append(invalid(f"{here}.message", said, "message must not contain line breaks"))
    if (reason := validation.get("reason")) is not None and reason not in _REASONS:
        errors.append(not_supported(f"{here}.reason", reason, _REASONS))
    return errors


def _expression(
    holder: Any, member: str, variables: Collection[str] | None, here: str, why: str = "", *, authorizes: bool = True
) -> list[FieldError]:
    """An expression that must be there and compile; ``variables``: what it can find in ``variables`` (None: it cannot
    ask for them)."""
    expression = holder.get(member, "")
    if not expression.strip():
        return [required(f"{here}.{member}", why)]
    problem = compile_error(expression, variables, authorizes=authorizes)
    return [invalid(f"{here}.{member}", expression, f"compilation failed: {problem}")] if problem else []


def match_resources(resources: Any, here: str) -> list[FieldError]:
    """Everything wrong with which requests are meant."""
    errors = one_of(f"{here}.matchPolicy", resources.get("matchPolicy"), ("Equivalent", "Exact"))
    for selector in ("namespaceSelector", "objectSelector"):
        errors += label_selector(resources[selector], f"{here}.{selector}")
    for member in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(resources.get(member) or []):
            errors += rule_errors(rule, f"{here}.{member}[{index}]")
    return errors


def binding_spec(spec: Any) -> list[FieldError]:
    """Everything wrong with a binding's spec."""
    name = spec.get("policyName", "")
    errors = names.all_of("spec.policyName", name, names.dns1123_subdomain(name))
    if spec.get("paramRef") is not None:
        errors.append(forbidden("spec.paramRef", _NO_PARAMETERS))
    if spec.get("matchResources") is not None:
        errors += match_resources(spec["matchResources"], "spec.matchResouces")  # upstream's path, letter for letter
    return errors + _actions(spec.get("validationActions") or [], "spec.validationActions")


def _actions(actions: list[str], here: str) -> list[FieldError]:
    if not actions:
        return [required(here, "at least one validation action is required")]
    errors: list[FieldError] = []
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            errors.append(not_supported(f"{here}[{index}]", action, _ACTIONS))
        if action in actions[:index]:
            errors.append(duplicate(f"{here}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        why = ("must not contain both Deny and Warn (repeating the same validation failure information in the API "
               "response and headers serves no purpose)")  # fmt: skip
        errors.append(invalid(here, actions, why))
    return errors
