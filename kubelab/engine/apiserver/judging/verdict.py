"""What one policy says of one request."""

from __future__ import annotations

from typing import Any, NamedTuple

from kubelab.engine.apiserver.custom.cel import EvaluationError
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.judging.expressions import Values

_LONGEST_MESSAGE = 5 * 1024
"""In bytes; what an expression makes longer is not shown."""


class Fault(NamedTuple):
    """Something that is not as the policy wants it."""

    message: str
    reason: str = "Invalid"


def faults(spec: Object, values: Values) -> list[Fault]:
    """Everything that the policy has against it. What fails to evaluate counts by its ``failurePolicy``."""
    strict = spec["failurePolicy"] == "Fail"
    try:
        if not _is_concerned(spec.get("matchConditions") or [], values):
            return []
    except EvaluationError as error:
        return [Fault(str(error))] if strict else []
    found = []
    for validation in spec.get("validations") or []:
        try:
            if _evaluated(validation["expression"], values) is not True:
                found.append(Fault(_message(validation, values), validation.get("reason") or "Invalid"))
        except EvaluationError as error:
            if strict:
                found.append(Fault(str(error)))
    return found


def _is_concerned(conditions: list[Any], values: Values) -> bool:
    """Whether all conditions hold; one that is false settles it even where another fails to evaluate."""
    failures: list[str] = []
    for condition in conditions:
        try:
            if _evaluated(condition["expression"], values) is False:
                return False
        except EvaluationError as error:
            failures.append(str(error))
    if failures:
        raise EvaluationError(failures[0] if len(failures) == 1 else f"[{', '.join(failures)}]")
    return True


def _evaluated(expression: str, values: Values) -> Any:
    try:
        return values.evaluate(expression)
    except EvaluationError as error:
        raise EvaluationError(f"expression '{expression}' resulted in error: {error}") from None


def _message(validation: Any, values: Values) -> str:
    """Made by an expression, else as it stands there, else the expression that is not true."""
    if made := validation.get("messageExpression"):
        try:
            said = values.evaluate(made)
        except EvaluationError:
            said = None  # as upstream: the fixed message takes its place
        if isinstance(said, str) and (text := said.strip()) and _is_showable(text):
            return text
    fixed = (validation.get("message") or "").strip()
    return fixed or f"failed expression: {validation['expression'].strip()}"


def _is_showable(text: str) -> bool:
    return len(text.encode()) <= _LONGEST_MESSAGE and "\n" not in text
