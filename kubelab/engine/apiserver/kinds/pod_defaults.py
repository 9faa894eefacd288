"""Defaults of a pod's spec, wherever one stands: in a Pod or in a template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubelab.engine.apiserver.kinds.base import fill

Spec = dict[str, Any]

_DIGEST_OR_TAG = re.compile(r"(@[^/]+|:[^/:@]+)$")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_TIMING = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
"""Of a probe; 0 stands for what is left out, too."""
_HANDLERS = ("postStart", "preStop")
_FILE_MODE = 0o644
_MODED_SOURCES = ("secret", "configMap", "downwardAPI", "projected")


def containers(spec: Spec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every container with its field path below the spec: ``containers[0]`` …"""
    for member in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(member) or []):
            yield f"{member}[{index}]", container


def default_pod_spec(spec: Spec) -> None:
    """Fill in a pod spec as SetDefaults_PodSpec and its kin do."""
    fill(
        spec,
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        securityContext={},
        schedulerName="default-scheduler",
    )
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for volume in spec.get("volumes") or []:
        _default_volume(volume)
    for _, container in containers(spec):
        _default_container(container)
    if spec.get("hostNetwork"):
        for _, container in containers(spec):
            for port in container.get("ports") or []:
                port["hostPort"] = port.get("hostPort") or port.get("containerPort")
    for constraint in spec.get("topologySpreadConstraints") or []:
        fill(constraint, nodeAffinityPolicy="Honor", nodeTaintsPolicy="Ignore")


def _default_container(container: dict[str, Any]) -> None:
    fill(
        container,
        imagePullPolicy=_pull_policy(container.get("image") or ""),
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        resources={},
    )
    for port in container.get("ports") or []:
        fill(port, protocol="TCP")
    for variable in container.get("env") or []:
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            fill(reference, apiVersion="v1")
    for name in _PROBES:
        probe = container.get(name)
        if probe is not None:
            probe |= {name: value for name, value in _TIMING.items() if not probe.get(name)}
            _default_action(probe)
    for name in _HANDLERS:
        handler = (container.get("lifecycle") or {}).get(name)
        if handler is not None:
            _default_action(handler)


def _default_action(action: dict[str, Any]) -> None:
    if "httpGet" in action:
        fill(action["httpGet"], path="/", scheme="HTTP")
    if "grpc" in action:
        action["grpc"].setdefault("service", "")


def _pull_policy(image: str) -> str:
    tag = _DIGEST_OR_TAG.search(image)
    return "Always" if tag is None or tag[0] == ":latest" else "IfNotPresent"


def _default_volume(volume: dict[str, Any]) -> None:
    if not [member for member in volume if member != "name"]:
        volume["emptyDir"] = {}
    for source in _MODED_SOURCES:
        if source in volume:
            fill(volume[source], defaultMode=_FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for item in (volume.get("downwardAPI") or {}).get("items") or []:
        if "fieldRef" in item:
            fill(item["fieldRef"], apiVersion="v1")
    for source in (volume.get("projected") or {}).get("sources") or []:
        if "serviceAccountToken" in source:
            fill(source["serviceAccountToken"], expirationSeconds=3600)
        for item in (source.get("downwardAPI") or {}).get("items") or []:
            if "fieldRef" in item:
                fill(item["fieldRef"], apiVersion="v1")


def default_requests(spec: Spec) -> None:
    """Requests that are left out equal the limits (in a Pod, not in a template)."""
    for _, container in containers(spec):
        resources = container.get("resources") or {}
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
