"""Server-side apply: a manager's whole configuration laid over what is there.

Fields that the manager no longer applies go, unless somebody else owns them too; a field that another manager set to
another value is a conflict unless forced.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.ownership.fields import Fields, Path, dotted, has, intersect, paths, subtract, union
from kubelab.engine.apiserver.ownership.managers import (
    Entry,
    entry_of,
    is_same_manager,
    owned_part,
    taken,
    tidy,
)
from kubelab.engine.apiserver.ownership.values import (
    GONE,
    child,
    differences,
    find,
    is_keyed,
    is_set,
    key_step,
    matches,
    set_fields,
)
from kubelab.engine.apiserver.resources import STATUS
from kubelab.engine.apiserver.schema import Shape
from kubelab.engine.apiserver.status import StatusError

_STAY = (("f:metadata",), ("f:spec",))


def apply_patch(call: Call, live: Object | None, config: Object) -> Object:
    """``live`` with the applied configuration merged in; ``call.managed_fields``: who owns what. Raises a Status."""
    shape = call.target.rtype.shape
    config = copy(config)
    if not call.target.subresource and STATUS in call.target.rtype.subresources:
        config.pop("status", None)  # which nobody sets here
    version = config["metadata"].pop("resourceVersion", None)
    mine = entry_of(call, call.query["fieldManager"], "Apply", set_fields(owned_part(config), shape))
    entries = _known(call, live)
    before = next((entry for entry in entries if is_same_manager(entry, mine)), None)
    others = [entry for entry in entries if entry is not before]
    result = copy(live) if live else {}
    if before:
        _prune(result, subtract(before["fieldsV1"], mine["fieldsV1"]), [mine, *others])
    result = merge(result, config, shape)
    changed, removed = differences(owned_part(live or {}), owned_part(result), shape)
    _settle(call, others, changed)
    others = taken(others, union(changed, removed))
    if not changed and not removed:  # nothing is new: not even the time
        mine.pop("time")
        mine |= {"time": before["time"]} if before and "time" in before else {}
    if version:
        result["metadata"]["resourceVersion"] = version
    call.managed_fields = tidy([*others, *([mine] if mine["fieldsV1"] else [])])
    return result


def _known(call: Call, live: Object | None) -> list[Entry]:
    """The entries there are; of an object that nobody tracked, one for all that was there before the first apply."""
    if not live:
        return []
    entries = live["metadata"].get("managedFields")
    if entries:
        return entries
    first = entry_of(
        call, "before-first-apply", "Update", differences({}, owned_part(live), call.target.rtype.shape)[0]
    )
    if not first.pop("subresource", "") and STATUS in call.target.rtype.subresources:
        first["fieldsV1"].pop("f:status", None)
    return [first]


def _settle(call: Call, others: list[Entry], changed: Fields) -> None:
    """Raises 409 when a change takes another manager's field, unless forced."""
    if call.flag("force"):
        return
    clashes = [(entry, path) for entry in others for path in paths(intersect(entry["fieldsV1"], changed))]
    if clashes:
        raise _conflict(clashes)


def _conflict(clashes: list[tuple[Entry, Path]]) -> StatusError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_described(entry)}", "field": dotted(path)}
        for entry, path in clashes
    ]
    if len(causes) == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        by_manager: dict[str, list[str]] = {}
        for entry, path in clashes:
            by_manager.setdefault(_described(entry), []).append(dotted(path))
        listed = "\n".join(f"conflicts with {who}:\n" + "\n".join(f"- {field}" for field in fields) for who, fields in
                           sorted(by_manager.items()))  # fmt: skip
        text = f"{len(causes)} conflicts: {listed}"
    return StatusError(409, "Conflict", f"Apply failed with {text}", {"causes": causes})


def _described(entry: Entry) -> str:
    text = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    return text + (f" using {entry['apiVersion']}" if entry["operation"] == "Update" else "")


def _prune(obj: Object, gone: Fields, owners: list[Entry]) -> None:
    """Take away fields that nobody owns any more, and with the last member of a thing the thing itself."""
    for path in sorted(paths(gone), key=len):
        if not _is_key(path) and not any(has(entry["fieldsV1"], path) for entry in owners):
            _remove(obj, path, owners)


def _is_key(path: Path) -> bool:
    """Whether the field is a key of its item: as long as the item is there it stays."""
    above, _, name = path[-2].partition(":") if len(path) > 1 else ("", "", "")
    return above == "k" and path[-1].removeprefix("f:") in json.loads(name)


def _remove(obj: Object, path: Path, owners: list[Entry]) -> None:
    holder = find(obj, path[:-1])
    kind, _, name = path[-1].partition(":")
    if kind == "f" and isinstance(holder, dict):
        holder.pop(name, None)
    elif isinstance(holder, list):
        holder[:] = [item for item in holder if not matches(item, kind, name)]
    above = path[:-1]
    is_field = above and above[-1].startswith("f:") and above not in _STAY
    if is_field and holder is not GONE and not holder and not any(has(entry["fieldsV1"], above) for entry in owners):
        _remove(obj, above, owners)


# -- merging -----------------------------------------------------------------------------------


def merge(live: Any, config: Any, shape: Shape | None) -> Any:
    """The configuration laid over what is there, by the list types of the schema."""
    if shape is None or shape.atomic:
        return config
    if isinstance(config, dict) and isinstance(live, dict) and shape.kind != "any":
        result = dict(live)
        for name, value in config.items():
            result[name] = merge(live.get(name), value, child(shape, name))
        return result
    has_items = isinstance(config, list) and isinstance(live, list)
    if has_items and (is_set(config, shape) or (is_keyed(live, shape) and is_keyed(config, shape))):
        return _merge_items(live, config, shape)
    return config


def _merge_items(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    there = {key_step(item, shape): item for item in live}
    wanted = {key_step(item, shape): item for item in config}
    merged = {**there, **{key: merge(there[key], item, shape.item) if key in there else item
                          for key, item in wanted.items()}}  # fmt: skip
    return [merged[key] for key in in_order(list(there), list(wanted))]


def in_order(live: list[str], config: list[str]) -> list[str]:
    """The keys of both: a configuration's in its own order, and what only others have where it stood between them."""
    there, applied = set(live), set(config)
    shared = deque(key for key in config if key in there)
    order: dict[str, None] = {}
    left, right = deque(live), deque(config)
    while left or right:
        key = left[0] if left else ""
        if left and key in order:
            left.popleft()
        elif left and key not in applied:
            order[left.popleft()] = None
        elif left and right and key != right[0] and shared and shared[0] != key:
            left.popleft()  # it comes later, where the configuration has it
        else:
            key = right.popleft()
            order[key] = None
            if shared and shared[0] == key:
                shared.popleft()
    return list(order)
