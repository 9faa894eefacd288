"""Server-side apply, in a simple honest form: fields that a manager stops applying go, fields that another manager
applied with another value are a conflict unless forced.

Only managers that apply are recorded; changes by PUT and PATCH take no ownership yet.
Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.schema import Shape
from kubelab.engine.apiserver.status import StatusError

Step = str
Path = tuple[Step, ...]
"""Steps as managedFields writes them: ``f:name``, ``k:{"key":"value"}``, ``v:value``."""

_IDENTITY = (("f:apiVersion",), ("f:kind",), ("f:metadata",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"))


def apply_patch(call: Call, live: Object | None, config: Object) -> Object:
    """``live`` with the applied configuration merged in; ``call.managed_fields`` says who owns what. Raises 409."""
    shape = call.target.rtype.shape
    manager, sub = call.query["fieldManager"], call.target.subresource
    config = copy(config)
    version = config["metadata"].pop("resourceVersion", None)
    config["metadata"].pop("managedFields", None)
    owned = set(paths(config, shape)) - set(_IDENTITY)
    entries = (live or {}).get("metadata", {}).get("managedFields") or []
    mine = [entry for entry in entries if _is(entry, manager, sub)]
    others = [entry for entry in entries if not _is(entry, manager, sub)]
    result = copy(live) if live else {}
    if live:
        others = _settle(call, live, config, shape, owned, others)
        kept = {path for entry in others for path in from_fields(entry.get("fieldsV1") or {})}
        before = {path for entry in mine for path in from_fields(entry.get("fieldsV1") or {})}
        for path in sorted(before - owned - kept, key=len):
            _remove(result, path)
    result = merge(result, config, shape)
    meta = result["metadata"]
    if version:
        meta["resourceVersion"] = version
    call.managed_fields = [*others, _entry(call, manager, sub, owned)]
    return result


def _is(entry: Object, manager: str, subresource: str) -> bool:
    same = entry.get("manager") == manager and entry.get("operation") == "Apply"
    return same and entry.get("subresource", "") == subresource


def _entry(call: Call, manager: str, subresource: str, owned: Iterable[Path]) -> Object:
    entry = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": call.target.rtype.api_version,
        "time": call.timestamp,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields(owned),
    }
    return {**entry, "subresource": subresource} if subresource else entry


def _settle(
    call: Call, live: Object, config: Object, shape: Shape, owned: set[Path], others: list[Object]
) -> list[Object]:
    """The other managers' entries; with ``force`` without what this one takes from them. Raises 409."""
    changed = {path for path in owned if not same(find(live, path), find(config, path))}
    conflicts: list[tuple[Object, Path]] = []
    settled = []
    for entry in others:
        theirs = set(from_fields(entry.get("fieldsV1") or {}))
        clash = theirs & changed
        conflicts += [(entry, path) for path in sorted(clash)]
        if clash and call.flag("force"):
            entry = {**entry, "fieldsV1": to_fields(theirs - clash)}
        if entry.get("fieldsV1"):
            settled.append(entry)
    if conflicts and not call.flag("force"):
        raise _conflict(conflicts)
    return settled


def _conflict(conflicts: list[tuple[Object, Path]]) -> StatusError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{entry["manager"]}" using {entry["apiVersion"]}',
            "field": dotted(path),
        }
        for entry, path in conflicts
    ]
    if len(causes) == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        listed = "\n".join(f"{cause['message']}:\n- {cause['field']}" for cause in causes)
        text = f"{len(causes)} conflicts: {listed}"
    return StatusError(409, "Conflict", f"Apply failed with {text}", {"causes": causes})


# -- paths -------------------------------------------------------------------------------------


def paths(value: Any, shape: Shape | None, at: Path = ()) -> Iterable[Path]:
    """The paths of all that an applied configuration sets: leaves, and items of lists with keys."""
    if isinstance(value, dict) and shape is not None and shape.kind in ("struct", "map") and not shape.atomic and value:
        for name, item in value.items():
            yield from paths(item, _child(shape, name), (*at, f"f:{name}"))
    elif isinstance(value, list) and shape is not None and _is_keyed(value, shape) and value:
        for item in value:
            here = (*at, _key_step(item, shape))
            yield here
            yield from paths(item, shape.item, here)
    elif isinstance(value, list) and shape is not None and shape.list_type == "set" and value:
        for item in value:
            yield (*at, f"v:{json.dumps(item)}")
    elif at:
        yield at


def _child(shape: Shape, name: str) -> Shape | None:
    if shape.kind == "struct" and shape.struct is not None:
        return shape.struct.fields.get(name)
    return shape.item


def _is_keyed(items: list[Any], shape: Shape) -> bool:
    """Whether the items can be told by their keys; those of a custom resource may turn out to be no objects at all."""
    return shape.list_type == "map" and all(isinstance(item, dict) for item in items)


def _key_step(item: Object, shape: Shape) -> Step:
    keys = {key: item.get(key, _key_default(shape, key)) for key in shape.list_keys}
    return "k:" + json.dumps({key: value for key, value in keys.items() if value is not None}, separators=(",", ":"))


_KEY_DEFAULTS = {"protocol": "TCP"}
"""That the published schemas do not say."""


def _key_default(shape: Shape, key: str) -> Any:
    field = shape.item.struct.fields.get(key) if shape.item and shape.item.struct else None
    return field.default if field and field.default is not None else _KEY_DEFAULTS.get(key)


def to_fields(owned: Iterable[Path]) -> Object:
    """Paths as a ``fieldsV1`` tree."""
    tree: Object = {}
    for path in sorted(owned):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        if path[-1].startswith("k:"):
            node.setdefault(".", {})
    return tree


def from_fields(tree: Object, at: Path = ()) -> Iterable[Path]:
    """The way back from `to_fields`."""
    for step, below in tree.items():
        if step == ".":
            yield at
        elif below:
            yield from from_fields(below, (*at, step))
        else:
            yield (*at, step)


def dotted(path: Path) -> str:
    """``.spec.replicas`` as conflicts name a field."""
    text = ""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f":
            text += f".{name}"
        elif kind == "k":
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(name).items()) + "]"
        else:
            text += f"[={name}]"
    return text


_GONE = object()


def same(one: Any, other: Any) -> bool:
    """Whether two found values are equal (items of lists are compared by their own fields)."""
    return one == other or (isinstance(one, dict) and isinstance(other, dict))


def find(value: Any, path: Path) -> Any:
    """The value at a path, or a mark that there is none."""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f":
            value = value.get(name, _GONE) if isinstance(value, dict) else _GONE
        elif isinstance(value, list):
            value = next((item for item in value if _matches(item, kind, name)), _GONE)
        if value is _GONE:
            return _GONE
    return value


def _matches(item: Any, kind: str, name: str) -> bool:
    wanted = json.loads(name)
    if kind == "v":
        return item == wanted
    return isinstance(item, dict) and all(
        item.get(key, _KEY_DEFAULTS.get(key)) == value for key, value in wanted.items()
    )


def _remove(obj: Object, path: Path) -> None:
    holder = find(obj, path[:-1]) if len(path) > 1 else obj
    kind, _, name = path[-1].partition(":")
    if kind == "f" and isinstance(holder, dict):
        holder.pop(name, None)
    elif isinstance(holder, list):
        holder[:] = [item for item in holder if not _matches(item, kind, name)]


# -- merging -----------------------------------------------------------------------------------


def merge(live: Any, config: Any, shape: Shape | None) -> Any:
    """The configuration laid over what is there, by the list types of the schema."""
    if (
        isinstance(config, dict)
        and isinstance(live, dict)
        and shape is not None
        and not shape.atomic
        and shape.kind != "any"
    ):
        result = dict(live)
        for name, value in config.items():
            result[name] = merge(live.get(name), value, _child(shape, name))
        return result
    if isinstance(config, list) and isinstance(live, list) and shape is not None:
        if shape.list_type == "set":
            return [*live, *(item for item in config if item not in live)]
        if _is_keyed(live, shape) and _is_keyed(config, shape):
            return _merge_keyed(live, config, shape)
    return config


def _merge_keyed(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    result = list(live)
    places = {_key_step(item, shape): at for at, item in enumerate(live)}
    for item in config:
        at = places.get(_key_step(item, shape))
        if at is None:
            result.append(item)
        else:
            result[at] = merge(result[at], item, shape.item)
    return result
