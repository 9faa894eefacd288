"""One served version of a CustomResourceDefinition, as the resource type that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kubelab.engine.apiserver.custom.rules import unread_in_schema
from kubelab.engine.apiserver.encoding import Object, dumps
from kubelab.engine.apiserver.resources import STATUS, ResourceType, Subresource
from kubelab.engine.apiserver.schema import Shape, Struct

_META = "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1."
TYPE_AND_META: Object = {
    "apiVersion": {
        "type": "string",
        "description": "APIVersion defines the versioned schema of this representation of an object.",
    },
    "kind": {"type": "string", "description": "Kind is the name of the resource that this object represents."},
    "metadata": {"$ref": f"{_META}ObjectMeta", "description": "Standard object's metadata."},
}
"""The schema of what every object has."""


@dataclass(frozen=True, eq=False)
class CustomVersion:
    """What a definition says about the objects of one of its versions."""

    schema: Object
    """``openAPIV3Schema``."""
    stored: str
    """The ``apiVersion`` under which objects are kept."""
    columns: tuple[Object, ...] = ()
    """``additionalPrinterColumns``."""
    selectable: frozenset[str] = frozenset()
    """Fields that can be selected by, such as ``spec.color``."""
    scale: Object | None = None
    """``subresources.scale``."""
    terminating: bool = False
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", Shape("struct", struct=Struct("", self.definition())))

    @cached_property
    def has_rules(self) -> bool:
        """Whether there is anything in CEL about it."""
        return b'"x-kubernetes-validations"' in dumps(self.schema)

    @cached_property
    def has_unread_rules(self) -> bool:
        """Whether some of it cannot be evaluated here."""
        return self.has_rules and bool(unread_in_schema(self.schema))

    def definition(self) -> Object:
        """The schema with what every object has in it."""
        return {**self.schema, "properties": {**self.schema.get("properties", {}), **TYPE_AND_META}}


def resource_types(definition: Object, *, unserved: bool = False) -> Iterator[ResourceType]:
    """The resource types of a CustomResourceDefinition whose names are accepted, one a served version."""
    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    group = spec["group"]
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    for version in spec["versions"]:
        if not version["served"] and not unserved:
            continue
        below = version.get("subresources") or {}
        subresources = [STATUS] if "status" in below else []
        if "scale" in below:
            subresources.append(Subresource("scale", kind=("autoscaling", "v1", "Scale")))
        yield ResourceType(
            group,
            version["name"],
            names["plural"],
            names["singular"],
            names["kind"],
            ".".join([*reversed(group.split(".")), version["name"], names["kind"]]),
            namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=tuple(subresources),
            generation=True,
            deprecation=_deprecation(version, group, names["kind"]),
            stored_as=(group, names["plural"]),
            list_kind=names["listKind"],
            custom=CustomVersion(
                version["schema"]["openAPIV3Schema"],
                f"{group}/{stored}",
                tuple(version.get("additionalPrinterColumns") or ()),
                frozenset(each["jsonPath"].lstrip(".") for each in version.get("selectableFields") or ()),
                below.get("scale"),
                terminating="deletionTimestamp" in definition["metadata"],
            ),
        )


def _deprecation(version: dict[str, Any], group: str, kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{group}/{version['name']} {kind} is deprecated"
