"""The ingress controller as objects of the API, named as its users look for it."""

from __future__ import annotations

from typing import Any

from kubelab import __version__
from kubelab.engine.ingress.compile.connections import READY_PORT
from kubelab.routing.gateway import CONTROLLER as GATEWAY_CONTROLLER
from kubelab.routing.ingress import CONTROLLER

Object = dict[str, Any]

NAMESPACE = "kubelab-ingress"
NAME = "kubelab-ingress-controller"
CLASS = "kubelab"
IMAGE = f"kubelab.dev/ingress-controller:v{__version__}"
PORTS = (("http", 80, 8080), ("https", 443, 8443))
"""Name, port of the Service, port of the pod."""

_LABELS = {"app.kubernetes.io/name": NAME}
_READS = (
    ("", ("services", "secrets", "namespaces")),
    ("apiextensions.k8s.io", ("customresourcedefinitions",)),
    ("gateway.networking.k8s.io", ("gatewayclasses", "gateways", "httproutes", "referencegrants")),
    ("discovery.k8s.io", ("endpointslices",)),
    ("networking.k8s.io", ("ingresses", "ingressclasses")),
)


def manifests() -> list[Object]:
    """Namespace, account, its rights, classes, Service, Deployment: in the order in which to create them."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}},
        _role(),
        _binding("ClusterRole"),
        _own_role(),
        _binding("Role"),
        _class(),
        _gateway_class(),
        _service(),
        _deployment(),
    ]


def _role() -> Object:
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": ["list", "watch"]} for group, resources in _READS
    ]
    rules.append({"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["patch"]})
    statuses = [f"{each}/status" for each in ("gatewayclasses", "gateways", "httproutes")]
    rules.append({"apiGroups": ["gateway.networking.k8s.io"], "resources": statuses, "verbs": ["update"]})
    rules.append({"apiGroups": [""], "resources": ["events"], "verbs": ["create", "get", "patch"]})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": rules,
    }


def _own_role() -> Object:
    """In its own namespace it makes the Services of Gateways."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "rules": [{"apiGroups": [""], "resources": ["services"], "verbs": ["create", "update", "delete"]}],
    }


def _binding(role: str) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{role}Binding",
        "metadata": {"name": NAME, **({"namespace": NAMESPACE} if role == "Role" else {})},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def _class() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": CONTROLLER},
    }


def _gateway_class() -> Object:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": CLASS},
        "spec": {"controllerName": GATEWAY_CONTROLLER, "description": "Envoy in a pod, an address a Gateway"},
    }


def _service() -> Object:
    ports = [{"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port, _ in PORTS]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": dict(_LABELS)},
        # Local: the proxy sees who asks, and tells the pods (X-Forwarded-For).
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "selector": dict(_LABELS),
            "ports": ports,
        },
    }


def _deployment() -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": dict(_LABELS)},
        "spec": {
            "replicas": 1,
            # The old pod serves until the new one is ready.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "minReadySeconds": 1,
            "selector": {"matchLabels": dict(_LABELS)},
            "template": {"metadata": {"labels": dict(_LABELS)}, "spec": _pod()},
        },
    }


def _pod() -> Object:
    ports = [{"name": name, "containerPort": number} for name, _, number in PORTS]
    return {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "terminationGracePeriodSeconds": 30,
        "containers": [
            {
                "name": "ingress-controller",
                "image": IMAGE,
                "imagePullPolicy": "IfNotPresent",
                "ports": [*ports, {"name": "ready", "containerPort": READY_PORT}],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "ready"}, "periodSeconds": 1},
                "resources": {"requests": {"cpu": "100m", "memory": "120Mi"}},
            }
        ],
    }
