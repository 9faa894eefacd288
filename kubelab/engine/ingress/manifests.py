"""The ingress controller as objects of the API, named as its users look for it."""

from __future__ import annotations

from typing import Any

from kubelab import __version__
from kubelab.engine.ingress.compile.connections import READY_PORT
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
    ("", ("services", "secrets")),
    ("discovery.k8s.io", ("endpointslices",)),
    ("networking.k8s.io", ("ingresses", "ingressclasses")),
)


def manifests() -> list[Object]:
    """Namespace, account, its rights, IngressClass, Service, Deployment: in the order in which to create them."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}},
        _role(),
        _binding(),
        _class(),
        _service(),
        _deployment(),
    ]


def _role() -> Object:
    rules = [
        {"apiGroups": [group], "resources": list(resources), "verbs": ["list", "watch"]} for group, resources in _READS
    ]
    rules.append({"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["patch"]})
    rules.append({"apiGroups": [""], "resources": ["events"], "verbs": ["create", "get", "patch"]})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": rules,
    }


def _binding() -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def _class() -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": CONTROLLER},
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
