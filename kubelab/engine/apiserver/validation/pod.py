"""The rules of a pod's spec, wherever one stands."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.environment import sources, variables
from kubelab.engine.apiserver.validation.ephemeral import ephemeral_only
from kubelab.engine.apiserver.validation.fields import FieldError, duplicate, invalid, not_supported, one_of, required
from kubelab.engine.apiserver.validation.placing import placing
from kubelab.engine.apiserver.validation.probes import probes_and_hooks
from kubelab.engine.apiserver.validation.resolving import resolving
from kubelab.engine.apiserver.validation.volumes import mounts, volumes
from kubelab.engine.quantity import value as quantity_value

RESTART_POLICIES = ("Always", "OnFailure", "Never")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")

Spec = dict[str, Any]


def pod_spec(spec: Spec, at: str) -> list[FieldError]:
    """Everything wrong with a pod spec whose path is ``at``."""
    known, errors = volumes(spec.get("volumes") or [], f"{at}.volumes")
    grace = spec.get("terminationGracePeriodSeconds")
    seen: set[str] = set()
    if not spec.get("containers"):
        errors.append(required(f"{at}.containers"))
    for member in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(member) or []):
            errors += _container(container, f"{at}.{member}[{index}]", known, grace, is_init=member == "initContainers")
            name = container.get("name")
            if name in seen:
                errors.append(duplicate(f"{at}.{member}[{index}].name", name))
            elif name:
                seen.add(name)
    own = set(seen)
    for index, container in enumerate(spec.get("ephemeralContainers") or []):
        where, name = f"{at}.ephemeralContainers[{index}]", container.get("name")
        errors += _container(container, where, known, grace) + ephemeral_only(container, where, own)
        if name in seen:
            errors.append(duplicate(f"{where}.name", name))
        seen.add(name)
    errors += _host_ports(spec, at)
    errors += one_of(f"{at}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    if grace is not None and grace < 0:
        errors.append(invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0"))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline < 2**31:
        errors.append(invalid(f"{at}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"))
    for member, rule in (
        ("serviceAccountName", names.dns1123_subdomain),
        ("nodeName", names.dns1123_subdomain),
    ):
        value = spec.get(member)
        if value:
            errors += [invalid(f"{at}.{member}", value, problem) for problem in rule(value)]
    errors += _security(spec.get("securityContext") or {}, f"{at}.securityContext")
    return errors + resolving(spec, at) + placing(spec, at)


def _container(
    container: Spec, at: str, known: set[str], grace: int | None, *, is_init: bool = False
) -> list[FieldError]:
    name, image = container.get("name", ""), container.get("image", "")
    errors = names.all_of(f"{at}.name", name, names.dns1123_label(name))
    if not image:
        errors.append(required(f"{at}.image"))
    elif image != image.strip():
        errors.append(invalid(f"{at}.image", image, "must not have leading or trailing whitespace"))
    errors += one_of(f"{at}.imagePullPolicy", container.get("imagePullPolicy"), PULL_POLICIES)
    errors += one_of(
        f"{at}.terminationMessagePolicy", container.get("terminationMessagePolicy"), ("FallbackToLogsOnError", "File")
    )
    errors += _ports(container.get("ports") or [], f"{at}.ports")
    errors += sources(container.get("envFrom") or [], f"{at}.envFrom")
    errors += variables(container.get("env") or [], f"{at}.env")
    errors += mounts(container.get("volumeMounts") or [], f"{at}.volumeMounts", known)
    errors += _resources(container.get("resources") or {}, f"{at}.resources")
    errors += _security(container.get("securityContext") or {}, f"{at}.securityContext")
    policy = container.get("restartPolicy")
    if policy and policy not in RESTART_POLICIES:
        errors.append(not_supported(f"{at}.restartPolicy", policy, RESTART_POLICIES))
    return errors + probes_and_hooks(container, at, runs_once=is_init and policy != "Always", grace=grace)


def _security(context: Spec, at: str) -> list[FieldError]:
    return [
        invalid(f"{at}.{member}", context[member], "must be between 0 and 2147483647, inclusive")
        for member in ("runAsUser", "runAsGroup", "fsGroup")
        if context.get(member) is not None and not 0 <= context[member] < 2**31
    ]


def _ports(ports: list[Spec], at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{at}[{index}]"
        name = port.get("name")
        if name:
            errors += [invalid(f"{here}.name", name, problem) for problem in names.port_name(name)]
            if name in seen:
                errors.append(duplicate(f"{here}.name", name))
            seen.add(name)
        if not port.get("containerPort"):
            errors.append(required(f"{here}.containerPort"))
        else:
            number = port["containerPort"]
            errors += [invalid(f"{here}.containerPort", number, problem) for problem in names.port_number(number)]
        if port.get("hostPort"):
            number = port["hostPort"]
            errors += [invalid(f"{here}.hostPort", number, problem) for problem in names.port_number(number)]
        errors += one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
    return errors


def _host_ports(spec: Spec, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, container in enumerate(spec.get("containers") or []):
        for number, port in enumerate(container.get("ports") or []):
            here = f"{at}.containers[{index}].ports[{number}].hostPort"
            host = port.get("hostPort")
            if not host:
                continue
            if spec.get("hostNetwork") and host != port.get("containerPort"):
                errors.append(invalid(here, host, "must match `containerPort` when `hostNetwork` is true"))
            key = f"{port.get('protocol')}/{port.get('hostIP', '')}/{host}"
            if key in seen:
                errors.append(duplicate(here, key))
            seen.add(key)
    return errors


def _resources(resources: Spec, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    limits = resources.get("limits") or {}
    for member in ("limits", "requests"):
        for name, amount in (resources.get(member) or {}).items():
            if quantity_value(amount) < 0:
                errors.append(invalid(f"{at}.{member}[{name}]", amount, "must be greater than or equal to 0"))
            if (
                "/" not in name
                and name not in ("cpu", "memory", "ephemeral-storage")
                and not name.startswith("hugepages-")
            ):
                errors.append(invalid(f"{at}.{member}[{name}]", name, "must be a standard resource for containers"))
    for name, amount in (resources.get("requests") or {}).items():
        if name in limits and quantity_value(amount) > quantity_value(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            errors.append(invalid(f"{at}.requests", amount, why))
    return errors
