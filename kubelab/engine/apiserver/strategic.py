"""Strategic merge patches: lists of objects merge by the key that the schema names.

Source: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/ and the design
notes of ``$patch``, ``$deleteFromPrimitiveList``, ``$setElementOrder`` and ``$retainKeys``.
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import copy
from kubelab.engine.apiserver.schema import Shape
from kubelab.engine.apiserver.status import bad_request

_PATCH, _RETAIN = "$patch", "$retainKeys"
_DELETE_PREFIX, _ORDER_PREFIX = "$deleteFromPrimitiveList/", "$setElementOrder/"


def strategic_merge(target: Any, patch: Any, shape: Shape) -> Any:
    """``target`` with the patch merged in; neither is changed. Raises a Status for a patch that makes no sense."""
    if not isinstance(patch, dict):
        raise bad_request("json: cannot unmarshal array into Go value of type map[string]interface {}")
    return _merge_map(target if isinstance(target, dict) else {}, patch, shape)


def _merge_map(target: dict[str, Any], patch: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {name: copy(value) for name, value in patch.items() if name != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown directive {directive} in patch")
    result = dict(target)
    _check_directives(patch)
    if _RETAIN in patch:
        keep = patch[_RETAIN] or []
        result = {name: value for name, value in result.items() if name in keep}
    for name, value in patch.items():
        if name.startswith(_DELETE_PREFIX):
            field = name.removeprefix(_DELETE_PREFIX)
            if isinstance(result.get(field), list):
                result[field] = [item for item in result[field] if item not in (value or [])]
    for name, value in patch.items():
        if name in (_PATCH, _RETAIN) or name.startswith((_DELETE_PREFIX, _ORDER_PREFIX)):
            continue
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge_value(result.get(name), value, _field(shape, name))
    for name, value in patch.items():
        if name.startswith(_ORDER_PREFIX):
            field = name.removeprefix(_ORDER_PREFIX)
            if isinstance(result.get(field), list):
                result[field] = _ordered(result[field], value or [], _field(shape, field))
    return result


def _check_directives(patch: dict[str, Any]) -> None:
    for name, value in patch.items():
        listed = name == _RETAIN or name.startswith((_DELETE_PREFIX, _ORDER_PREFIX))
        if listed and value is not None and not isinstance(value, list):
            raise bad_request(f"{name} in a strategic merge patch is not a list")


def _field(shape: Shape | None, name: str) -> Shape | None:
    if shape is None:
        return None
    if shape.kind == "struct" and shape.struct is not None:
        return shape.struct.fields.get(name)
    return shape.item if shape.kind == "map" else None


def _merge_value(target: Any, patch: Any, shape: Shape | None) -> Any:
    if isinstance(patch, dict):
        if shape is not None and "replace" in shape.strategies:
            return {name: copy(value) for name, value in patch.items() if name != _PATCH}
        return _merge_map(target if isinstance(target, dict) else {}, patch, shape)
    if isinstance(patch, list):
        current = target if isinstance(target, list) else []
        if shape is None or "merge" not in shape.strategies:
            return [_plain(item) for item in patch if not _only_directive(item)]
        if shape.merge_key:
            return _merge_objects(current, patch, shape)
        return [*current, *(item for item in patch if item not in current)]
    return patch


def _only_directive(item: Any) -> bool:
    return isinstance(item, dict) and set(item) == {_PATCH}


def _plain(item: Any) -> Any:
    if isinstance(item, dict):
        return {name: _plain(value) for name, value in item.items() if name != _PATCH}
    return copy(item)


def _merge_objects(current: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    key = shape.merge_key
    items = [item for item in patch if isinstance(item, dict)]
    if len(items) != len(patch):
        raise bad_request(f"the patch of a list that merges by {key} has an item that is not an object")
    if any(_only_directive(item) and item[_PATCH] == "replace" for item in items):
        return [_plain(item) for item in items if not _only_directive(item)]
    result = list(current)
    for item in items:
        if key not in item:
            raise bad_request(f"map: {_as_go(item)} does not contain declared merge key: {key}")
        places = [at for at, known in enumerate(result) if isinstance(known, dict) and known.get(key) == item[key]]
        if item.get(_PATCH) == "delete":
            result = [known for at, known in enumerate(result) if at not in places]
        elif places:
            result[places[0]] = _merge_map(result[places[0]], item, shape.item)
        else:
            result.append(_merge_map({}, item, shape.item))
    return result


def _as_go(value: Any) -> str:
    """As Go prints a value: ``map[image:nginx ports:[1 2]]``."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{_as_go(item)}' for name, item in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_as_go, value))}]"
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _ordered(items: list[Any], order: list[Any], shape: Shape | None) -> list[Any]:
    """The items that the order names, in that order; the others keep their place behind their neighbour."""
    key = shape.merge_key if shape is not None else ""

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    ranks = {repr(identity(wanted)): rank for rank, wanted in enumerate(order)}
    named = sorted(
        (item for item in items if repr(identity(item)) in ranks), key=lambda item: ranks[repr(identity(item))]
    )
    result = list(named)
    last: Any = None
    for item in items:
        if repr(identity(item)) not in ranks:
            at = 0 if last is None else next(at for at, known in enumerate(result) if known is last) + 1
            result.insert(at, item)
        last = item
    return result
