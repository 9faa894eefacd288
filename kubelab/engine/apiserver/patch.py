"""JSON patches (RFC 6902) and JSON merge patches (RFC 7386)."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from kubelab.engine.apiserver.encoding import copy, dumps
from kubelab.engine.apiserver.status import StatusError, bad_request, too_large

MOST_OPERATIONS = 10_000
MOST_COPIED = 3 * 1024 * 1024
"""Bytes of JSON that the ``copy`` operations of one patch may make, as a kube-apiserver has it."""


def merge_patch(target: Any, patch: Any) -> Any:
    """``target`` with a merge patch laid over it; neither is changed."""
    if not isinstance(patch, dict):
        return copy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def json_patch(target: Any, patch: Any) -> Any:
    """``target`` after a list of operations. Raises a Status for one that cannot be done."""
    if not isinstance(patch, list) or not all(isinstance(operation, dict) for operation in patch):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(patch) > MOST_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(patch)}"
        raise StatusError(413, "RequestEntityTooLarge", why)
    result, copied = copy(target), 0
    try:
        for operation in patch:
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


def _cannot_be_done() -> StatusError:
    """A kube-apiserver does not say which operation it was, whether a test that failed or a path that is not there."""
    return StatusError(422, "Invalid", "the server rejected our request due to an error in our request", {})
