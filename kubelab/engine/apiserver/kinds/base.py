"""What a kind brings to the API beyond its schema: defaults, what the server fills in, rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.resources import STATUS, ResourceType
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError


class Kind:
    """The behaviour of one resource. Methods change the object they are given; it is the caller's own copy."""

    def __init__(self, rtype: ResourceType) -> None:
        self.rtype = rtype
        self.has_status = STATUS in rtype.subresources
        self.prepares: dict[str, Callable[[Object, Object], None]] = {"status": self.prepare_status}
        """What a path below the object may change of it: the subresource → what keeps all else."""

    def name_rule(self, name: str) -> list[str]:
        """What is wrong with an object's name."""
        return names.dns1123_subdomain(name)

    def default(self, obj: Object) -> None:
        """Fill in what the API fills in when a field is left out."""

    def prepare_create(self, obj: Object) -> None:
        """Set what a client cannot: by default the status is emptied."""
        if self.has_status:
            obj["status"] = {}

    def prepare_update(self, new: Object, old: Object) -> None:
        """Keep what this path must not change: by default the status."""
        if self.has_status:
            keep(new, old, "status")

    def prepare_status(self, new: Object, old: Object) -> None:
        """Keep all but the status, for the status subresource."""
        status = new.get("status")
        for member in list(new):
            if member not in ("metadata", "status"):
                del new[member]
        new.update({member: value for member, value in old.items() if member not in ("metadata", "status")})
        if status is not None:
            new["status"] = status
        new["metadata"] = {**old["metadata"], "annotations": new["metadata"].get("annotations") or {}}
        if not new["metadata"]["annotations"]:
            del new["metadata"]["annotations"]

    def validate(self, obj: Object) -> list[FieldError]:
        """What is wrong with the object, besides its metadata and required fields."""
        return []

    def validate_create(self, obj: Object) -> list[FieldError]:
        """What is wrong only with a new object."""
        return []

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        """What may not change this way."""
        return []

    def validate_replacement(self, new: Object, old: Object, *, status: bool) -> list[FieldError]:
        """What is wrong with the object in place of the old one; ``status``: only its status may have changed."""
        return self.validate(new) + ([] if status else self.validate_update(new, old))

    def warnings(self, obj: Object) -> list[str]:
        """What is accepted and better not done."""
        return []

    def spec_changed(self, new: Object, old: Object) -> bool:
        """Whether ``metadata.generation`` goes up."""
        return new.get("spec") != old.get("spec")

    def to_view(self, obj: Object) -> Object:
        """The stored object as this resource shows it (see ``ResourceType.stored_as``)."""
        return obj

    def from_view(self, obj: Object) -> Object:
        """The way back from `to_view`."""
        return obj


def keep(new: Object, old: Object, member: str) -> None:
    """The member as it was, gone if it was not there."""
    if member in old:
        new[member] = old[member]
    else:
        new.pop(member, None)


def fill(obj: Object, **values: Any) -> None:
    """Set the members that are missing or empty strings."""
    for name, value in values.items():
        if obj.get(name) in (None, ""):
            obj[name] = value
