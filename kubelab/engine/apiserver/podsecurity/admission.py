"""What the labels of a namespace make of a violation: a refusal, a warning, or a line in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.podsecurity import baseline, restricted
from kubelab.engine.apiserver.podsecurity.words import Spec, Violation
from kubelab.engine.apiserver.status import forbidden
from kubelab.engine.apiserver.storage import Store

log = logging.getLogger(__name__)

PREFIX = "pod-security.kubernetes.io/"
Check = Callable[[Spec], Violation | None]

BASELINE: tuple[Check, ...] = (
    baseline.app_armor, baseline.capabilities, baseline.host_namespaces, baseline.host_path_volumes,
    baseline.host_ports, baseline.probe_hosts, baseline.privileged, baseline.proc_mount, baseline.selinux_options,
    baseline.seccomp_profile, baseline.sysctls, baseline.windows_host_process,
)  # fmt: skip
_TAKEN_OVER = (baseline.capabilities, baseline.host_path_volumes, baseline.seccomp_profile)
"""What the restricted standard says again, and more strictly."""
RESTRICTED: tuple[Check, ...] = (
    *(check for check in BASELINE if check not in _TAKEN_OVER),
    restricted.escalation, restricted.capabilities, restricted.volumes, restricted.not_root, restricted.run_as_user,
    restricted.seccomp_profile,
)  # fmt: skip
_LEVELS: Mapping[str, tuple[Check, ...]] = {"privileged": (), "baseline": BASELINE}
_WITH_TEMPLATES = (r.DEPLOYMENTS, r.REPLICASETS, r.DAEMONSETS, r.STATEFULSETS)
_JUDGED = frozenset({r.PODS.storage_key, *(rtype.storage_key for rtype in _WITH_TEMPLATES)})


class PodSecurity:
    """Asked before every write."""

    def __init__(self, store: Store) -> None:
        self._namespaces = store.shelf(r.NAMESPACES.storage_key)

    def check(self, call: Call, new: Object | None, old: Object | None) -> None:
        """Raises a 403 Status for a pod that its namespace does not let in."""
        target = call.target
        if target.rtype.storage_key not in _JUDGED or new is None or target.subresource not in ("", _DEBUG):
            return
        stored = self._namespaces.objects.get(("", target.namespace))
        labels = (stored.obj["metadata"].get("labels") if stored else None) or {}
        if not any(label.startswith(PREFIX) for label in labels) or (old is not None and _is_same(new, old)):
            return
        if target.rtype is r.PODS:
            found = violations(new["spec"], labels, "enforce")
            if found:
                raise forbidden(r.PODS, new["metadata"].get("name", ""), f"violates {found}")
        spec = new["spec"] if target.rtype is r.PODS else new["spec"]["template"]["spec"]
        if found := violations(spec, labels, "warn"):
            call.warnings.append(f"would violate {found}")
        if found := violations(spec, labels, "audit"):
            log.info("audit: %s %s would violate %s", target.rtype.plural, new["metadata"].get("name", ""), found)


_DEBUG = "ephemeralcontainers"


def _is_same(new: Object, old: Object) -> bool:
    return bool(new["spec"] == old["spec"])


def violations(spec: Spec, labels: Mapping[str, str], mode: str) -> str:
    """``PodSecurity "baseline:latest": …``, or nothing. A level that does not exist counts as the strictest."""
    level, version = labels.get(f"{PREFIX}{mode}", ""), labels.get(f"{PREFIX}{mode}-version") or "latest"
    if not level:
        return ""
    level = level if level in _LEVELS else "restricted"
    found = [violation for check in _LEVELS.get(level, RESTRICTED) if (violation := check(spec))]
    return f'PodSecurity "{level}:{version}": {", ".join(map(str, found))}' if found else ""
