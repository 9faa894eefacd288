"""The behaviour of a custom resource, read from its definition."""

from __future__ import annotations

from kubelab.engine.apiserver.custom.checking import errors_of, keeps_rules_from_running
from kubelab.engine.apiserver.custom.correlation import ABSENT
from kubelab.engine.apiserver.custom.defaults import fill_defaults
from kubelab.engine.apiserver.custom.pruning import pruned
from kubelab.engine.apiserver.custom.rules import rule_errors, unread_rules
from kubelab.engine.apiserver.custom.scaling import scale_errors
from kubelab.engine.apiserver.custom.version import CustomVersion
from kubelab.engine.apiserver.encoding import Object, copy, same
from kubelab.engine.apiserver.kinds.base import Kind
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.validation.fields import FieldError, invalid
from kubelab.engine.apiserver.validation.metadata import finalizer_warnings

_NOT_RUN = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


class CustomKind(Kind):
    """One version of a custom resource."""

    def __init__(self, rtype: ResourceType) -> None:
        super().__init__(rtype)
        assert rtype.custom is not None
        self._version: CustomVersion = rtype.custom

    def default(self, obj: Object) -> None:
        fill_defaults(obj, self._version.schema)

    def prepare_create(self, obj: Object) -> None:
        if self.has_status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1

    def prepare_status(self, new: Object, old: Object) -> None:
        status = new.get("status")
        new.clear()
        new.update(copy(old))
        new.pop("status", None)
        if status is not None:
            new["status"] = status

    def spec_changed(self, new: Object, old: Object) -> bool:
        apart = ("apiVersion", "metadata", "status") if self.has_status else ("apiVersion", "metadata")
        return not same(_without(new, apart), _without(self.to_view(old), apart))

    def validate(self, obj: Object) -> list[FieldError]:
        return self._errors(obj, ABSENT) + self._scale_errors(obj)

    def validate_replacement(self, new: Object, old: Object, *, status: bool) -> list[FieldError]:
        return self._errors(new, self.to_view(old)) + self._scale_errors(new, status_only=status)

    def warnings(self, obj: Object) -> list[str]:
        unread = unread_rules(obj, self._version.schema) if self._version.has_unread_rules else []
        return unread + finalizer_warnings(obj)

    def _errors(self, obj: Object, old: Object) -> list[FieldError]:
        schema = self._version.schema
        errors = errors_of(obj, schema, old)
        if not self._version.has_rules:
            return errors
        if any(keeps_rules_from_running(error) for error in errors):
            return [*errors, invalid("<nil>", "null", _NOT_RUN)]
        return errors + rule_errors(obj, schema, old)

    def _scale_errors(self, obj: Object, *, status_only: bool = False) -> list[FieldError]:
        scale = self._version.scale
        return scale_errors(obj, scale, status_only=status_only) if scale else []

    def to_view(self, obj: Object) -> Object:
        rest = {name: value for name, value in obj.items() if name != "metadata"}
        view = copy(pruned(rest, self._version.schema, []))
        fill_defaults(view, self._version.schema)
        return {**view, "apiVersion": self.rtype.api_version, "metadata": obj["metadata"]}

    def from_view(self, obj: Object) -> Object:
        return {**obj, "apiVersion": self._version.stored}


def _without(obj: Object, members: tuple[str, ...]) -> Object:
    return {name: value for name, value in obj.items() if name not in members}
