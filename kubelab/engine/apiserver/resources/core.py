"""The core group, and what is a view of it."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import PROXY_VERBS, STATUS, ResourceType, Subresource

_CORE = "io.k8s.api.core.v1."
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
    subresources=(Subresource("proxy", PROXY_VERBS, ("", "v1", "NodeProxyOptions")), STATUS),
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
        Subresource("proxy", PROXY_VERBS, ("", "v1", "PodProxyOptions")),
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
    subresources=(Subresource("proxy", PROXY_VERBS, ("", "v1", "ServiceProxyOptions")), STATUS),
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
