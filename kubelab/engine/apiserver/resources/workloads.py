"""Workloads: ``apps``."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import SCALE, STATUS, ResourceType

_APPS = "io.k8s.api.apps.v1."

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
DAEMONSETS = ResourceType(
    "apps",
    "v1",
    "daemonsets",
    "daemonset",
    "DaemonSet",
    _APPS + "DaemonSet",
    short_names=("ds",),
    categories=("all",),
    subresources=(STATUS,),
    generation=True,
)
STATEFULSETS = ResourceType(
    "apps",
    "v1",
    "statefulsets",
    "statefulset",
    "StatefulSet",
    _APPS + "StatefulSet",
    short_names=("sts",),
    categories=("all",),
    subresources=(SCALE, STATUS),
    generation=True,
)
CONTROLLERREVISIONS = ResourceType(
    "apps",
    "v1",
    "controllerrevisions",
    "controllerrevision",
    "ControllerRevision",
    _APPS + "ControllerRevision",
)
