"""What the standard ``baseline`` forbids: the known ways out of a pod.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
"""

from __future__ import annotations

from typing import Any

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

_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")


def app_armor(spec: Spec) -> Violation | None:
    """Only the runtime's own profile, or one of the node's."""

    def bad(holder: Spec) -> str:
        kind = (holder.get("appArmorProfile") or {}).get("type", "RuntimeDefault")
        return "" if kind in ("RuntimeDefault", "Localhost") else str(kind)

    wrong = setters(spec, bad)
    values = sorted({bad(one) for one in (context(spec), *map(context, containers(spec)))} - {""})
    reason = plural("forbidden AppArmor profile", values)
    return Violation(reason, f"{wrong} must not set AppArmor profile type to {quoted(values)}") if wrong else None


def capabilities(spec: Spec) -> Violation | None:
    """None beyond those that container runtimes give anyway."""
    names = who(spec, lambda one: set(added(one)) - _CAPABILITIES)
    extra = sorted({cap for one in containers(spec) for cap in added(one)} - _CAPABILITIES)
    detail = f"{named('container', names)} must not include {quoted(extra)} in securityContext.capabilities.add"
    return Violation("non-default capabilities", detail) if names else None


def added(container: Spec) -> list[str]:
    """The capabilities that a container asks for."""
    return (context(container).get("capabilities") or {}).get("add") or []


def host_namespaces(spec: Spec) -> Violation | None:
    """The node's network, processes and shared memory are not the pod's."""
    shared = [f"{member}=true" for member in ("hostNetwork", "hostPID", "hostIPC") if spec.get(member)]
    return Violation("host namespaces", ", ".join(shared)) if shared else None


def host_path_volumes(spec: Spec) -> Violation | None:
    """No files of the node."""
    names = [volume["name"] for volume in spec.get("volumes") or () if "hostPath" in volume]
    return Violation("hostPath volumes", named("volume", names)) if names else None


def host_ports(spec: Spec) -> Violation | None:
    """No ports of the node."""

    def taken(container: Spec) -> list[int]:
        return [port["hostPort"] for port in container.get("ports") or () if port.get("hostPort")]

    names = who(spec, taken)
    ports = [str(port) for port in sorted({port for one in containers(spec) for port in taken(one)})]
    uses = f"{_use(names)} {plural('hostPort', ports)} {', '.join(ports)}"
    return Violation("hostPort", f"{named('container', names)} {uses}") if names else None


def _use(names: list[str]) -> str:
    return "uses" if len(names) == 1 else "use"


def probe_hosts(spec: Spec) -> Violation | None:
    """Probes and hooks ask the pod itself and nobody else (since 1.34)."""

    def asked(container: Spec) -> list[str]:
        hooks = container.get("lifecycle") or {}
        handlers: list[Any] = [*(container.get(probe) for probe in _PROBES), *(hooks.get(hook) for hook in _HOOKS)]
        hosts = [(one or {}).get(way) or {} for one in handlers for way in ("httpGet", "tcpSocket")]
        return [host["host"] for host in hosts if host.get("host")]

    names = sorted(set(who(spec, asked)))
    hosts = sorted({host for one in containers(spec) for host in asked(one)})
    what = f"{_use(names)} {plural('probe or lifecycle host', hosts)} {quoted(hosts)}"
    return Violation("probe or lifecycle host", f"{named('container', names)} {what}") if names else None


def privileged(spec: Spec) -> Violation | None:
    """Not all the rights of root on the node."""
    names = who(spec, lambda one: context(one).get("privileged"))
    detail = f"{named('container', names)} must not set securityContext.privileged=true"
    return Violation("privileged", detail) if names else None


def proc_mount(spec: Spec) -> Violation | None:
    """/proc stays masked."""

    def mount(container: Spec) -> str:
        return str(context(container).get("procMount") or "Default")

    names = who(spec, lambda one: mount(one) != "Default")
    kinds = sorted({mount(one) for one in containers(spec)} - {"Default"})
    detail = f"{named('container', names)} must not set securityContext.procMount to {quoted(kinds)}"
    return Violation("procMount", detail) if names else None


def selinux_options(spec: Spec) -> Violation | None:
    """Only the types for containers, and no user or role."""

    def options(holder: Spec) -> Spec:
        return holder.get("seLinuxOptions") or {}

    def bad(holder: Spec) -> bool:
        said = options(holder)
        return said.get("type", "") not in _SELINUX_TYPES or bool(said.get("user") or said.get("role"))

    wrong = setters(spec, bad)
    said = [options(one) for one in (context(spec), *map(context, containers(spec)))]
    types = sorted({one.get("type", "") for one in said} - set(_SELINUX_TYPES))
    parts = [named("type", types)] if types else []
    parts += [f"{member} may not be set" for member in ("user", "role") if any(one.get(member) for one in said)]
    detail = f"{wrong} set forbidden securityContext.seLinuxOptions: {'; '.join(parts)}"
    return Violation("seLinuxOptions", detail) if wrong else None


def seccomp_profile(spec: Spec) -> Violation | None:
    """System calls stay filtered, unless nothing is said."""
    wrong = setters(spec, lambda one: (one.get("seccompProfile") or {}).get("type") == "Unconfined")
    detail = f'{wrong} must not set securityContext.seccompProfile.type to "Unconfined"'
    return Violation("seccompProfile", detail) if wrong else None


def sysctls(spec: Spec) -> Violation | None:
    """Only those that are the pod's own."""
    names = sorted({one["name"] for one in context(spec).get("sysctls") or ()} - _SYSCTLS)
    return Violation("forbidden sysctls", ", ".join(names)) if names else None


def windows_host_process(spec: Spec) -> Violation | None:
    """No processes of a Windows node."""
    wrong = setters(spec, lambda one: (one.get("windowsOptions") or {}).get("hostProcess"))
    detail = f"{wrong} must not set securityContext.windowsOptions.hostProcess=true"
    return Violation("hostProcess", detail) if wrong else None
