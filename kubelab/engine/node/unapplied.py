"""What a pod may ask for and does not get here: told once, so that nobody takes it for granted.

Programs of all containers run as one user, with one set of capabilities and without cgroups, on every tier.
"""

from __future__ import annotations

from kubelab.engine.client import Object
from kubelab.engine.node.status import PodRecord

_SECURITY = (
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "supplementalGroups",
    "privileged",
    "capabilities",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
    "seccompProfile",
    "appArmorProfile",
    "seLinuxOptions",
    "sysctls",
)
_POD = ("shareProcessNamespace", "hostPID", "hostIPC", "runtimeClassName")


def unapplied(pod: Object) -> list[str]:
    """Names of the fields that are accepted and not applied, each once."""
    spec = pod["spec"]
    contexts = [spec.get("securityContext") or {}]
    for part in ("initContainers", "containers", "ephemeralContainers"):
        contexts += [each.get("securityContext") or {} for each in spec.get(part) or ()]
    found = [name for name in _POD if spec.get(name)]
    ports = [port for each in spec["containers"] for port in each.get("ports") or ()]
    if not spec.get("hostNetwork") and any(port.get("hostPort") for port in ports):
        found.append("ports.hostPort")
    found += [f"securityContext.{name}" for name in _SECURITY if any(context.get(name) for context in contexts)]
    return found


def root_refused(record: PodRecord, container: Object, image_is_root: bool) -> str | None:
    """Why a container that must not run as root would: kubelet's words; None when all is well."""
    context = {**(record.pod["spec"].get("securityContext") or {}), **(container.get("securityContext") or {})}
    if not context.get("runAsNonRoot"):
        return None
    which = f'(pod: "{record.full_name}", container: {container["name"]})'
    if context.get("runAsUser") == 0:
        return f"container's runAsUser breaks non-root policy {which}"
    if context.get("runAsUser") is None and image_is_root:
        return f"container has runAsNonRoot and image will run as root {which}"
    return None
