"""How rules in CEL are declared in a schema: their texts, reasons and paths. The expressions are not looked at here.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

import re
from typing import Any

from kubelab.engine.apiserver.validation.fields import FieldError, invalid, not_supported, required

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\['([^']+)'\]")


def rule_declarations(schema: dict[str, Any], at: str) -> list[FieldError]:
    """What is wrong with the declarations of a schema's rules."""
    errors: list[FieldError] = []
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        errors += _rule(rule, schema, f"{at}.x-kubernetes-validations[{index}]")
    return errors


def _rule(rule: dict[str, Any], schema: dict[str, Any], at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    text, message = rule.get("rule", ""), rule.get("message", "")
    if not text.strip():
        errors.append(required(f"{at}.rule", "rule is not specified"))
    if message and not message.strip():
        errors.append(invalid(f"{at}.message", message, "must be non-empty if specified"))
    elif "\n" in message:
        errors.append(invalid(f"{at}.message", message, "must not contain line breaks"))
    elif "\n" in text.strip() and not message:
        errors.append(required(f"{at}.message", "message must be specified if rule contains line breaks"))
    if rule.get("reason") and rule["reason"] not in _REASONS:
        errors.append(not_supported(f"{at}.reason", rule["reason"], _REASONS))
    path = rule.get("fieldPath", "")
    if path and not _leads_somewhere(path, schema):
        errors.append(invalid(f"{at}.fieldPath", path, "must be a valid path"))
    if rule.get("optionalOldSelf") is not None and "oldSelf" not in text:
        errors.append(
            invalid(f"{at}.optionalOldSelf", rule["optionalOldSelf"], "may not be set if oldSelf is not used in rule")
        )
    return errors


def _leads_somewhere(path: str, schema: dict[str, Any]) -> bool:
    place = 0
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None:
            return False
        name, place = step[1] or step[2], step.end()
        below = (schema.get("properties") or {}).get(name, schema.get("additionalProperties"))
        if not isinstance(below, dict):
            return False
        schema = below
    return True
