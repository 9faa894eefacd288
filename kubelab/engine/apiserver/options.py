"""What the parameters of a request may say, and which of them go together.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (1.36)
"""

from __future__ import annotations

from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, invalid, not_supported, required

LONGEST_MANAGER = 128
_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"
_MATCH = "resourceVersionMatch"
_MATCHES = f'supported values: "{_EXACT}", "{_NOT_OLDER}", ""'


def check_list(call: Call) -> None:
    """Raises a Status for a list that cannot be meant."""
    match, version = call.query.get(_MATCH, ""), call.query.get("resourceVersion", "")
    errors: list[FieldError] = []
    if match and not version:
        errors.append(forbidden(_MATCH, f"{_MATCH} is forbidden unless resourceVersion is provided"))
    if match:
        errors += _no_page(call)
    if match not in ("", _EXACT, _NOT_OLDER):
        errors.append(FieldError("FieldValueNotSupported", _MATCH, match, _MATCHES))
    if match == _EXACT and version == "0":
        errors.append(forbidden(_MATCH, f'{_MATCH} "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in call.query:
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if errors:
        raise call.refusal(errors)


def check_watch(call: Call) -> None:
    """Raises a Status for a watch that cannot be meant."""
    call.number("limit"), call.number("timeoutSeconds")
    match, initial = call.query.get(_MATCH, ""), "sendInitialEvents" in call.query
    errors: list[FieldError] = []
    if initial and match != _NOT_OLDER:
        errors.append(forbidden(_MATCH, f"sendInitialEvents requires setting {_MATCH} to {_NOT_OLDER}"))
    if match and not initial:
        errors.append(forbidden(_MATCH, f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided"))
    if match not in ("", _NOT_OLDER):
        errors.append(not_supported(_MATCH, match, (_NOT_OLDER,)))
    if match:
        errors += _no_page(call)
    if errors:
        raise call.refusal(errors)


def _no_page(call: Call) -> list[FieldError]:
    if not call.query.get("continue"):
        return []
    return [forbidden(_MATCH, f"{_MATCH} is forbidden when continue is provided")]


def check_write(call: Call, *, apply: bool = False) -> None:
    """Raises a Status for a create, update or patch whose parameters cannot be meant; ``apply``: server-side."""
    manager = call.query.get("fieldManager", "")
    errors: list[FieldError] = []
    if apply and not manager:
        errors.append(required("fieldManager", "is required for apply patch"))
    if call.request.method == "PATCH" and not apply and "force" in call.query:
        errors.append(forbidden("force", "may not be specified for non-apply patch"))
    errors += manager_name(manager, "fieldManager") + call.unsupported()
    if errors:
        raise call.refusal(errors)


def manager_name(manager: str, field: str) -> list[FieldError]:
    """What is wrong with the name of a field manager."""
    errors: list[FieldError] = []
    if len(manager.encode()) > LONGEST_MANAGER:
        errors.append(FieldError("FieldValueTooLong", field, None, f"may not be more than {LONGEST_MANAGER} bytes"))
    for index, letter in enumerate(manager):
        if not letter.isprintable():
            place = len(manager[:index].encode())
            errors.append(invalid(field, manager, f"invalid character U+{ord(letter):04X} (at position {place})"))
    return errors
