"""What there is to say about a resource; what else there is to know hangs off its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubelab.engine.apiserver.schema import Shape, root

if TYPE_CHECKING:
    from kubelab.engine.apiserver.custom.version import CustomVersion

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Subresource:
    """A path below an object. ``kind`` is ``group/version/Kind`` of what travels, when not the parent's own."""

    name: str
    verbs: tuple[str, ...] = ("get", "patch", "update")
    kind: tuple[str, str, str] | None = None


STATUS = Subresource("status")
PROXY_VERBS = ("create", "delete", "get", "patch", "update")
SCALE = Subresource("scale", kind=("autoscaling", "v1", "Scale"))


@dataclass(frozen=True)
class ResourceType:
    """One resource. ``schema`` is the name of its definition in the published OpenAPI of Kubernetes."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    schema: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    create_on_update: bool = False
    """Whether a PUT to a name that does not exist creates the object."""
    generation: bool = False
    """Whether ``metadata.generation`` counts the changes of the spec."""
    deprecation: str = ""
    """The warning that every request for it gets."""
    stored_as: tuple[str, str] | None = None
    """Group and plural of the resource whose objects these are views of."""
    list_kind: str = ""
    """Of its lists, when it is not the kind with ``List`` behind it."""
    custom: CustomVersion | None = None
    """What a CustomResourceDefinition says about it; None for what is built in."""

    @property
    def shape(self) -> Shape:
        """The shape of a whole object."""
        return self.custom.shape if self.custom else root(self.schema)

    @property
    def api_version(self) -> str:
        """``v1`` or ``apps/v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``pods`` or ``deployments.apps``, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def storage_key(self) -> str:
        """The name under which objects are kept."""
        if self.stored_as:
            group, plural = self.stored_as
            return f"{group}/{plural}"
        return f"{self.group}/{self.plural}"

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, if it has one."""
        return next((sub for sub in self.subresources if sub.name == name), None)
