"""Events, and their two faces: core/v1 (as stored) and events.k8s.io/v1."""

from __future__ import annotations

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind
from kubelab.engine.apiserver.validation.fields import FieldError, invalid

_NEW_TO_CORE = {
    "note": "message",
    "regarding": "involvedObject",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
_CORE_TO_NEW = {core: new for new, core in _NEW_TO_CORE.items()}


class EventKind(Kind):
    """An Event; with ``stored_as`` its type, the events.k8s.io view of it."""

    def validate(self, obj: Object) -> list[FieldError]:
        involved = (obj.get("involvedObject") or {}).get("namespace", "")
        namespace = obj["metadata"].get("namespace", "")
        if involved and involved != namespace:
            return [invalid("involvedObject.namespace", involved, "does not match event.namespace")]
        return []

    def to_view(self, obj: Object) -> Object:
        if not self.rtype.stored_as:
            return obj
        return {**_renamed(obj, _CORE_TO_NEW), "kind": "Event", "apiVersion": "events.k8s.io/v1"}

    def from_view(self, obj: Object) -> Object:
        if not self.rtype.stored_as:
            return obj
        return {**_renamed(obj, _NEW_TO_CORE), "kind": "Event", "apiVersion": "v1"}


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(name, name): value for name, value in obj.items()}
