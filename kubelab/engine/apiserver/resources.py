"""Every resource that the API serves: one entry each, and what else there is to know hangs off its kind."""

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


_CORE = "io.k8s.api.core.v1."
_APPS = "io.k8s.api.apps.v1."
_NETWORKING = "io.k8s.api.networking.v1."
_CONNECT = ("create", "get")

NAMESPACES = ResourceType(
    "",
    "v1",
    "namespaces",
    "namespace",
    "Namespace",
    _CORE + "Namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(Subresource("finalize", ("update",)), STATUS),
)
NODES = ResourceType(
    "",
    "v1",
    "nodes",
    "node",
    "Node",
    _CORE + "Node",
    namespaced=False,
    short_names=("no",),
    subresources=(STATUS,),
)
PODS = ResourceType(
    "",
    "v1",
    "pods",
    "pod",
    "Pod",
    _CORE + "Pod",
    short_names=("po",),
    categories=("all",),
    generation=True,
    subresources=(
        Subresource("attach", _CONNECT, ("", "v1", "PodAttachOptions")),
        Subresource("binding", ("create",), ("", "v1", "Binding")),
        Subresource("ephemeralcontainers"),
        Subresource("eviction", ("create",), ("policy", "v1", "Eviction")),
        Subresource("exec", _CONNECT, ("", "v1", "PodExecOptions")),
        Subresource("log", ("get",)),
        Subresource("portforward", _CONNECT, ("", "v1", "PodPortForwardOptions")),
        Subresource("resize"),
        STATUS,
    ),
)
SERVICES = ResourceType(
    "",
    "v1",
    "services",
    "service",
    "Service",
    _CORE + "Service",
    short_names=("svc",),
    categories=("all",),
    subresources=(STATUS,),
    create_on_update=True,
)
ENDPOINTS = ResourceType(
    "",
    "v1",
    "endpoints",
    "endpoints",
    "Endpoints",
    _CORE + "Endpoints",
    short_names=("ep",),
    create_on_update=True,
    deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
)
CONFIGMAPS = ResourceType(
    "",
    "v1",
    "configmaps",
    "configmap",
    "ConfigMap",
    _CORE + "ConfigMap",
    short_names=("cm",),
)
SECRETS = ResourceType("", "v1", "secrets", "secret", "Secret", _CORE + "Secret")
SERVICEACCOUNTS = ResourceType(
    "",
    "v1",
    "serviceaccounts",
    "serviceaccount",
    "ServiceAccount",
    _CORE + "ServiceAccount",
    short_names=("sa",),
    subresources=(Subresource("token", ("create",), ("authentication.k8s.io", "v1", "TokenRequest")),),
)
EVENTS = ResourceType(
    "",
    "v1",
    "events",
    "event",
    "Event",
    _CORE + "Event",
    short_names=("ev",),
    create_on_update=True,
)
EVENTS_V1 = ResourceType(
    "events.k8s.io",
    "v1",
    "events",
    "event",
    "Event",
    "io.k8s.api.events.v1.Event",
    short_names=("ev",),
    create_on_update=True,
    stored_as=("", "events"),
)
ENDPOINTSLICES = ResourceType(
    "discovery.k8s.io",
    "v1",
    "endpointslices",
    "endpointslice",
    "EndpointSlice",
    "io.k8s.api.discovery.v1.EndpointSlice",
    generation=True,
)
DEPLOYMENTS = ResourceType(
    "apps",
    "v1",
    "deployments",
    "deployment",
    "Deployment",
    _APPS + "Deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources=(SCALE, STATUS),
    generation=True,
)
REPLICASETS = ResourceType(
    "apps",
    "v1",
    "replicasets",
    "replicaset",
    "ReplicaSet",
    _APPS + "ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    subresources=(SCALE, STATUS),
    generation=True,
)
CUSTOMRESOURCEDEFINITIONS = ResourceType(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "customresourcedefinition",
    "CustomResourceDefinition",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=(STATUS,),
    generation=True,
)
INGRESSES = ResourceType(
    "networking.k8s.io",
    "v1",
    "ingresses",
    "ingress",
    "Ingress",
    _NETWORKING + "Ingress",
    short_names=("ing",),
    subresources=(STATUS,),
    generation=True,
)
INGRESSCLASSES = ResourceType(
    "networking.k8s.io",
    "v1",
    "ingressclasses",
    "ingressclass",
    "IngressClass",
    _NETWORKING + "IngressClass",
    namespaced=False,
    generation=True,
)
LEASES = ResourceType(
    "coordination.k8s.io",
    "v1",
    "leases",
    "lease",
    "Lease",
    "io.k8s.api.coordination.v1.Lease",
    create_on_update=True,
)

STORED: tuple[ResourceType, ...] = (
    CONFIGMAPS, ENDPOINTS, EVENTS, NAMESPACES, NODES, PODS, SECRETS, SERVICEACCOUNTS, SERVICES,
    DEPLOYMENTS, REPLICASETS, INGRESSCLASSES, INGRESSES, LEASES, ENDPOINTSLICES, EVENTS_V1, CUSTOMRESOURCEDEFINITIONS,
)  # fmt: skip

SELF_SUBJECT_REVIEWS = ResourceType(
    "authentication.k8s.io",
    "v1",
    "selfsubjectreviews",
    "selfsubjectreview",
    "SelfSubjectReview",
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    namespaced=False,
    verbs=("create",),
)
TOKEN_REVIEWS = ResourceType(
    "authentication.k8s.io",
    "v1",
    "tokenreviews",
    "tokenreview",
    "TokenReview",
    "io.k8s.api.authentication.v1.TokenReview",
    namespaced=False,
    verbs=("create",),
)
_AUTHZ = "io.k8s.api.authorization.v1."
SELF_SUBJECT_ACCESS_REVIEWS = ResourceType(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "selfsubjectaccessreview",
    "SelfSubjectAccessReview",
    _AUTHZ + "SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)
SELF_SUBJECT_RULES_REVIEWS = ResourceType(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "selfsubjectrulesreview",
    "SelfSubjectRulesReview",
    _AUTHZ + "SelfSubjectRulesReview",
    namespaced=False,
    verbs=("create",),
)
SUBJECT_ACCESS_REVIEWS = ResourceType(
    "authorization.k8s.io",
    "v1",
    "subjectaccessreviews",
    "subjectaccessreview",
    "SubjectAccessReview",
    _AUTHZ + "SubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)

REVIEWS: tuple[ResourceType, ...] = (
    SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_RULES_REVIEWS, SUBJECT_ACCESS_REVIEWS,
)  # fmt: skip
"""Questions that are answered and not stored."""

ALL: tuple[ResourceType, ...] = STORED + REVIEWS
