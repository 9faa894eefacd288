"""JSON patches (RFC 6902) and JSON merge patches (RFC 7386)."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from kubelab.engine.apiserver.decode import json_type
from kubelab.engine.apiserver.encoding import copy, dumps
from kubelab.engine.apiserver.status import StatusError, bad_request, too_large

MOST_OPERATIONS = 10_000
MOST_COPIED = 3 * 1024 * 1024
"""Bytes of JSON that the ``copy`` operations of one patch may make, as a kube-apiserver has it."""


def merge_patch(target: Any, patch: Any) -> Any:
    """``target`` with a merge patch laid over it; neither is changed."""
    if not isinstance(patch, dict):
        return _without_nulls(copy(patch))
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def _without_nulls(value: Any) -> Any:
    """As the library of a kube-apiserver has it, a null says that a member is not there in a list's objects too."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def json_patch(target: Any, patch: Any) -> Any:
    """``target`` after a list of operations. Raises a Status for one that cannot be done."""
    wrong = patch if not isinstance(patch, list) else next((one for one in patch if not isinstance(one, dict)), ABSENT)
    if wrong is not ABSENT:
        of = "handlers.jsonPatchOp" if isinstance(patch, list) else "[]handlers.jsonPatchOp"
        raise bad_request(f"error decoding patch: json: cannot unmarshal {json_type(wrong)} into Go value of type {of}")
    if len(patch) > MOST_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(patch)}"
        raise StatusError(413, "RequestEntityTooLarge", why)
    result, copied = copy(target), 0
    try:
        for operation in patch:
            _check_operation(operation)
            if _asks_for_nothing(operation, result):
                continue
            if operation.get("op") == "copy":
                copied += len(dumps(jsonpointer.resolve_pointer(result, operation["from"])))
                if copied > MOST_COPIED:
                    raise too_large()
            result = jsonpatch.apply_patch(result, [operation], in_place=True)
        return result
    except RecursionError:
        raise _cannot_be_done() from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, KeyError, TypeError, ValueError):
        raise _cannot_be_done() from None


ABSENT: Any = object()
_OPERATIONS = ("add", "copy", "move", "remove", "replace", "test")


def _check_operation(operation: Any) -> None:
    """Raises a 400 Status for what is no operation at all."""
    if operation.get("op") not in _OPERATIONS:
        why = "unsupported operation"
    elif operation["op"] in ("add", "replace") and "value" not in operation:
        why = "failed to decode 'value': operation, missing value field: missing value"
    else:
        return
    raise bad_request(f"invalid operation {dumps(operation).decode()}: {why}")


def _asks_for_nothing(operation: Any, target: Any) -> bool:
    """Whether it tests for a null, which what is not there passes as well."""
    is_null = operation["op"] == "test" and operation.get("value", ABSENT) is None
    if not is_null:
        return False
    above, _, name = operation["path"].rpartition("/")
    holder = jsonpointer.resolve_pointer(target, above, None)
    return isinstance(holder, dict) and holder.get(jsonpointer.unescape(name)) is None


def _cannot_be_done() -> StatusError:
    """A kube-apiserver does not say which operation it was, whether a test that failed or a path that is not there."""
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {})
