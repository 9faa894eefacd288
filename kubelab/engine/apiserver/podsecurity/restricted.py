"""What the standard ``restricted`` demands besides.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

from kubelab.engine.apiserver.podsecurity.baseline import added
from kubelab.engine.apiserver.podsecurity.words import (
    Spec,
    Violation,
    containers,
    context,
    named,
    plural,
    quoted,
    setters,
    who,
)

_VOLUMES = frozenset(
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"]
)


def escalation(spec: Spec) -> Violation | None:
    """No way to more rights than the process began with."""
    names = who(spec, lambda one: context(one).get("allowPrivilegeEscalation") is not False)
    detail = f"{named('container', names)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail) if names else None


def capabilities(spec: Spec) -> Violation | None:
    """All are given up, and only that for low ports may be had again."""

    def keeps(container: Spec) -> bool:
        return "ALL" not in ((context(container).get("capabilities") or {}).get("drop") or ())

    parts = []
    if keeping := who(spec, keeps):
        parts.append(f'{named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding := who(spec, lambda one: set(added(one)) - {"NET_BIND_SERVICE"}):
        extra = sorted({cap for one in containers(spec) for cap in added(one)} - {"NET_BIND_SERVICE"})
        parts.append(f"{named('container', adding)} must not include {quoted(extra)} in "
                     "securityContext.capabilities.add")  # fmt: skip
    return Violation("unrestricted capabilities", "; ".join(parts)) if parts else None


def volumes(spec: Spec) -> Violation | None:
    """Only volumes that are not of the node."""
    kinds = {volume["name"]: next((kind for kind in volume if kind != "name"), "unknown")
             for volume in spec.get("volumes") or ()}  # fmt: skip
    names = [name for name, kind in kinds.items() if kind not in _VOLUMES]
    wrong = sorted({kinds[name] for name in names})
    use = "uses" if len(names) == 1 else "use"
    detail = f"{named('volume', names)} {use} {plural('restricted volume type', wrong)} {quoted(wrong)}"
    return Violation("restricted volume types", detail) if names else None


def not_root(spec: Spec) -> Violation | None:
    """Whoever runs is not root."""
    pod, reason = context(spec).get("runAsNonRoot"), "runAsNonRoot != true"
    wrong = setters(spec, lambda one: one.get("runAsNonRoot") is False)
    if wrong:
        return Violation(reason, f"{wrong} must not set securityContext.runAsNonRoot=false")
    names = [] if pod else who(spec, lambda one: context(one).get("runAsNonRoot") is None)
    detail = f"pod or {named('container', names)} must set securityContext.runAsNonRoot=true"
    return Violation(reason, detail) if names else None


def run_as_user(spec: Spec) -> Violation | None:
    """Nor says so."""
    wrong = setters(spec, lambda one: one.get("runAsUser") == 0)
    return Violation("runAsUser=0", f"{wrong} must not set runAsUser=0") if wrong else None


def seccomp_profile(spec: Spec) -> Violation | None:
    """System calls are filtered, and somebody has said so."""

    def kind(holder: Spec) -> str | None:
        return (context(holder).get("seccompProfile") or {}).get("type")

    good = ("RuntimeDefault", "Localhost")
    wrong = setters(spec, lambda one: (one.get("seccompProfile") or {}).get("type", good[0]) not in good)
    if wrong:
        said = sorted({str(kind(one)) for one in (spec, *containers(spec)) if kind(one) not in (None, *good)})
        return Violation(
            "seccompProfile", f"{wrong} must not set securityContext.seccompProfile.type to {quoted(said)}"
        )
    names = [] if kind(spec) else who(spec, lambda one: kind(one) is None)
    detail = f'pod or {named("container", names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or '
    return Violation("seccompProfile", f'{detail}"Localhost"') if names else None
