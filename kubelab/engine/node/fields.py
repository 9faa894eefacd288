"""The downward API: a pod's own fields and resources as text (kubernetes.io: "Downward API")."""

from __future__ import annotations

import math
import re
from typing import Any

from kubelab.engine.client import Object
from kubelab.engine.config import CLUSTER_DOMAIN
from kubelab.engine.node.machine import Machine

MOST_HOSTNAME = 64
"""What the kernel takes."""
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")
_FIELDS = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "metadata.uid": ("metadata", "uid"),
    "spec.nodeName": ("spec", "nodeName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "status.podIP": ("status", "podIP"),
    "status.hostIP": ("status", "hostIP"),
}


class UnknownField(ValueError):
    """There is no such field in the downward API."""


def field(pod: Object, path: str) -> str:
    """The text of a ``fieldRef``. Raises `UnknownField`."""
    if path in _FIELDS:
        part, name = _FIELDS[path]
        return str((pod.get(part) or {}).get(name) or "")
    if path in ("status.podIPs", "status.hostIPs"):
        listed = (pod.get("status") or {}).get(path.removeprefix("status.")) or []
        return ",".join(each["ip"] for each in listed)
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod["metadata"].get(path.removeprefix("metadata.")) or {}
        return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(values.items()))
    found = _SUBSCRIPT.fullmatch(path)
    if found is None:
        raise UnknownField(f'unsupported fieldPath: "{path}"')
    return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def resource(container: Object, name: str, divisor: str, machine: Machine) -> str:
    """The number of a ``resourceFieldRef``, rounded up; a missing limit is the node's. Raises `UnknownField`."""
    kind, _, what = name.partition(".")
    values: dict[str, Any] = (container.get("resources") or {}).get(kind) or {}
    if kind not in ("limits", "requests") or what not in ("cpu", "memory", "ephemeral-storage"):
        raise UnknownField(f'unsupported container resource: "{name}"')
    if what in values:
        amount = quantity(str(values[what]))
    elif kind == "requests":
        amount = quantity(str(((container.get("resources") or {}).get("limits") or {}).get(what, "0")))
    else:
        amount = {"cpu": float(machine.cpus), "memory": float(machine.memory_bytes)}.get(what, 0.0)
    step = quantity(divisor) if divisor not in ("", "0") else 1.0
    return str(math.ceil(amount / step - 1e-9))


_SUFFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3}
_SUFFIXES |= {letter: 1000.0**power for power, letter in enumerate(("k", "M", "G", "T", "P", "E"), 1)}
_SUFFIXES |= {f"{letter}i": 1024.0**power for power, letter in enumerate(("K", "M", "G", "T", "P", "E"), 1)}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?i?)")


def quantity(text: str) -> float:
    """The number in a Kubernetes quantity: ``250m`` is 0.25, ``1Gi`` is 2**30. Raises ValueError."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"not a quantity: {text!r}")
    return float(found[1]) * _SUFFIXES[found[2]]


def hostname(pod: Object) -> str:
    """The name that the pod's containers see: its own or ``spec.hostname``, at most 63 characters; or its node's."""
    spec = pod["spec"]
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"])
    if spec.get("hostNetwork"):
        return str(spec["nodeName"])
    name: str = spec.get("hostname") or pod["metadata"]["name"]
    return name[:63].rstrip("-.")


def fqdn(pod: Object) -> str:
    """The pod's full name below its ``subdomain``; empty without one."""
    spec = pod["spec"]
    if not spec.get("subdomain") or spec.get("hostnameOverride"):
        return ""
    return f"{hostname(pod)}.{spec['subdomain']}.{pod['metadata']['namespace']}.svc.{CLUSTER_DOMAIN}"


def kernel_hostname(pod: Object) -> str:
    """What ``hostname`` prints in the pod: the full name with ``setHostnameAsFQDN``. Raises `UnknownField`."""
    name = fqdn(pod) if pod["spec"].get("setHostnameAsFQDN") else ""
    if len(name) > MOST_HOSTNAME:
        raise UnknownField(
            f"failed to construct FQDN from Pod hostname and cluster domain, FQDN {name} is too long "
            f"({MOST_HOSTNAME} characters is the max, {len(name)} characters requested)"
        )
    return name or hostname(pod)
