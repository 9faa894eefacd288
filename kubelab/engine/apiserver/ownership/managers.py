"""The entries of ``managedFields``: one for each manager, way of writing and subresource."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.ownership.fields import Fields, intersect, subtract, union
from kubelab.engine.apiserver.ownership.values import differences

Entry = dict[str, Any]

MOST_UPDATERS = 10
"""Managers that update; of more the oldest are put together as ``ancient-changes``."""

_NOBODYS = frozenset(("name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields",
                      "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"))  # fmt: skip
"""Metadata that belongs to no manager."""


def tracked(call: Call, live: Object | None, new: Object) -> list[Entry] | None:
    """``managedFields`` after a write; None: this object is not tracked.

    After an apply they are known already. Otherwise what was written goes to the writer's entry, and away from others'.
    """
    if call.managed_fields is not None:
        return call.managed_fields
    entries = _base(live, new)
    if entries is None:
        return None
    changed, removed = differences(owned_part(live or {}), owned_part(new), call.target.rtype.shape)
    if not changed and not removed:
        return entries
    entries = taken(entries, union(changed, removed))
    if changed:
        entries = _given(call, entries, changed)
    return tidy(_capped(entries))


def _base(live: Object | None, new: Object) -> list[Entry] | None:
    """The entries to go on from: a writer may correct them, and may take them all away with one empty entry."""
    if live is None:
        return []
    sent = new["metadata"].get("managedFields")
    known = live["metadata"].get("managedFields")
    if sent == [{}]:
        return None
    if isinstance(sent, list) and sent and all(_is_entry(each) for each in sent):
        return sent
    return known or None


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("operation") in ("Apply", "Update")
        and entry.get("fieldsType") == "FieldsV1"
        and isinstance(entry.get("fieldsV1"), dict)
        and all(isinstance(entry.get(name, ""), str) for name in ("manager", "apiVersion", "time", "subresource"))
    )


def owned_part(obj: Object) -> Object:
    """The object without what no manager can own."""
    part = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    metadata = {name: value for name, value in obj.get("metadata", {}).items() if name not in _NOBODYS}
    return {"metadata": metadata, **part} if metadata else part


def taken(entries: list[Entry], fields: Fields) -> list[Entry]:
    """The entries without these fields."""
    left = []
    for entry in entries:
        theirs = entry["fieldsV1"]
        kept = subtract(theirs, fields) if intersect(theirs, fields) else theirs
        if kept:
            left.append(entry if kept == theirs else {**entry, "fieldsV1": kept})
    return left


def _given(call: Call, entries: list[Entry], fields: Fields) -> list[Entry]:
    made = entry_of(call, manager_of(call), "Update", fields)
    mine = next((entry for entry in entries if is_same_manager(entry, made)), None)
    if mine is None:
        return [*entries, made]
    made["fieldsV1"] = union(mine["fieldsV1"], fields)
    return [made if entry is mine else entry for entry in entries]


def manager_of(call: Call) -> str:
    """Who writes: what the request says, else the program's name from its User-Agent."""
    return call.query.get("fieldManager") or call.request.headers.get("user-agent", "").split("/")[0][:128] or "unknown"


def entry_of(call: Call, manager: str, operation: str, fields: Fields) -> Entry:
    """An entry as of now."""
    entry: Entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": call.target.rtype.api_version,
        "time": call.timestamp,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if call.target.subresource:
        entry["subresource"] = call.target.subresource
    return entry


def is_same_manager(one: Entry, other: Entry) -> bool:
    """Whether two entries are of one manager. Who applies is the same in every version of the API."""
    members = ("manager", "operation", "subresource", *(() if one.get("operation") == "Apply" else ("apiVersion",)))
    return all(one.get(member) == other.get(member) for member in members)


def _capped(entries: list[Entry]) -> list[Entry]:
    updates = sorted(
        (entry for entry in entries if entry["operation"] == "Update"), key=lambda one: one.get("time", "")
    )
    ancient = updates[: max(0, len(updates) - MOST_UPDATERS + 1)] if len(updates) > MOST_UPDATERS else []
    if not ancient:
        return entries
    fields: Fields = {}
    for entry in ancient:
        fields = union(fields, entry["fieldsV1"])
    merged = {**ancient[-1], "manager": "ancient-changes", "fieldsV1": fields}
    merged.pop("subresource", None)
    return [merged, *(entry for entry in entries if all(entry is not old for old in ancient))]


def tidy(entries: list[Entry]) -> list[Entry]:
    """Sorted as upstream sorts them: who applies first, then by time and name."""
    return sorted(
        entries,
        key=lambda one: (one["operation"], one.get("time", ""), one["manager"], one.get("subresource", "")),
    )
