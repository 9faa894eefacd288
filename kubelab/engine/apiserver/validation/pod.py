"""The rules of a pod's spec, wherever one stands."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.ephemeral import ephemeral_only
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    one_of,
    required,
)
from kubelab.engine.quantity import value as quantity_value

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_ACTIONS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

Spec = dict[str, Any]


def pod_spec(spec: Spec, at: str) -> list[FieldError]:
    """Everything wrong with a pod spec whose path is ``at``."""
    volumes, errors = _volumes(spec.get("volumes") or [], f"{at}.volumes")
    seen: set[str] = set()
    if not spec.get("containers"):
        errors.append(required(f"{at}.containers"))
    for member in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(member) or []):
            errors += _container(container, f"{at}.{member}[{index}]", volumes, member == "initContainers")
            name = container.get("name")
            if name in seen:
                errors.append(duplicate(f"{at}.{member}[{index}].name", name))
            elif name:
                seen.add(name)
    own = set(seen)
    for index, container in enumerate(spec.get("ephemeralContainers") or []):
        where, name = f"{at}.ephemeralContainers[{index}]", container.get("name")
        errors += _container(container, where, volumes, False) + ephemeral_only(container, where, own)
        if name in seen:
            errors.append(duplicate(f"{where}.name", name))
        seen.add(name)
    errors += _host_ports(spec, at)
    errors += one_of(f"{at}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    errors += one_of(f"{at}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        errors.append(invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0"))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline < 2**31:
        errors.append(invalid(f"{at}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"))
    for member, rule in (
        ("hostname", names.dns1123_label),
        ("subdomain", names.dns1123_label),
        ("serviceAccountName", names.dns1123_subdomain),
        ("nodeName", names.dns1123_subdomain),
    ):
        value = spec.get(member)
        if value:
            errors += [invalid(f"{at}.{member}", value, problem) for problem in rule(value)]
    errors += names.labels(spec.get("nodeSelector"), f"{at}.nodeSelector")
    errors += _tolerations(spec.get("tolerations") or [], f"{at}.tolerations")
    if spec.get("dnsPolicy") == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        errors.append(required(f"{at}.dnsConfig.nameservers", why))
    return errors


def _container(container: Spec, at: str, volumes: set[str], is_init: bool) -> list[FieldError]:
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
    errors += _env(container.get("env") or [], f"{at}.env")
    errors += _mounts(container.get("volumeMounts") or [], f"{at}.volumeMounts", volumes)
    errors += _resources(container.get("resources") or {}, f"{at}.resources")
    sidecar = container.get("restartPolicy") == "Always"
    for probe in _PROBES:
        if probe in container:
            if is_init and not sidecar:
                errors.append(
                    forbidden(f"{at}.{probe}", "may not be set for init containers without restartPolicy=Always")
                )
            else:
                errors += _probe(container[probe], f"{at}.{probe}", probe != "readinessProbe")
    for hook in ("postStart", "preStop"):
        handler = (container.get("lifecycle") or {}).get(hook)
        if handler is not None:
            errors += _action(handler, f"{at}.lifecycle.{hook}")
    return errors


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


def _env(env: list[Spec], at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(env):
        here, name = f"{at}[{index}]", variable.get("name", "")
        errors += names.all_of(f"{here}.name", name, names.env_name(name))
        source = variable.get("valueFrom")
        if source is None:
            continue
        if variable.get("value"):
            errors.append(invalid(f"{here}.valueFrom", "", "may not be specified when `value` is not empty"))
        if len(source) == 0:
            errors.append(
                invalid(
                    f"{here}.valueFrom",
                    "",
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
                )
            )
        elif len(source) > 1:
            errors.append(invalid(f"{here}.valueFrom", "", "may not have more than one field specified at a time"))
        for kind in ("configMapKeyRef", "secretKeyRef"):
            if kind in source and not source[kind].get("key"):
                errors.append(required(f"{here}.valueFrom.{kind}.key"))
    return errors


def _mounts(mounts: list[Spec], at: str, volumes: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    paths: set[str] = set()
    for index, mount in enumerate(mounts):
        here, name, path = f"{at}[{index}]", mount.get("name"), mount.get("mountPath")
        if not name:
            errors.append(required(f"{here}.name"))
        elif name not in volumes:
            errors.append(FieldError("FieldValueNotFound", f"{here}.name", name))
        if not path:
            errors.append(required(f"{here}.mountPath"))
        elif path in paths:
            errors.append(invalid(f"{here}.mountPath", path, "must be unique"))
        paths.add(path or "")
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


def _probe(probe: Spec, at: str, single_success: bool) -> list[FieldError]:
    errors = _action(probe, at)
    for member in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        number = probe.get(member)
        if number is not None and number < 0:
            errors.append(invalid(f"{at}.{member}", number, "must be greater than or equal to 0"))
    if single_success and probe.get("successThreshold", 1) != 1:
        errors.append(invalid(f"{at}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def _action(action: Spec, at: str) -> list[FieldError]:
    chosen = [name for name in _ACTIONS if name in action]
    if not chosen:
        return [required(at, "must specify a handler type")]
    errors = [forbidden(f"{at}.{name}", "may not specify more than 1 handler type") for name in chosen[1:]]
    name, handler = chosen[0], action[chosen[0]]
    if name == "exec" and not handler.get("command"):
        errors.append(required(f"{at}.exec.command"))
    if name == "httpGet" and handler.get("scheme") not in ("HTTP", "HTTPS"):
        errors.append(not_supported(f"{at}.httpGet.scheme", handler.get("scheme"), ("HTTP", "HTTPS")))
    if name in ("httpGet", "tcpSocket", "grpc"):
        errors += port_or_name(handler.get("port", 0), f"{at}.{name}.port")
    return errors


def port_or_name(port: Any, at: str) -> list[FieldError]:
    """A port given by its number or by a container port's name."""
    problems = names.port_name(port) if isinstance(port, str) else names.port_number(port)
    return [invalid(at, port, problem) for problem in problems]


def _volumes(volumes: list[Spec], at: str) -> tuple[set[str], list[FieldError]]:
    seen: set[str] = set()
    errors: list[FieldError] = []
    for index, volume in enumerate(volumes):
        here, name = f"{at}[{index}]", volume.get("name", "")
        errors += names.all_of(f"{here}.name", name, names.dns1123_label(name))
        if name in seen:
            errors.append(duplicate(f"{here}.name", name))
        seen.add(name)
        sources = [member for member in volume if member != "name"]
        errors += [forbidden(f"{here}.{extra}", "may not specify more than 1 volume type") for extra in sources[1:]]
        if "configMap" in volume and not volume["configMap"].get("name"):
            errors.append(required(f"{here}.configMap.name"))
        if "secret" in volume and not volume["secret"].get("secretName"):
            errors.append(required(f"{here}.secret.secretName"))
        if "hostPath" in volume and not volume["hostPath"].get("path"):
            errors.append(required(f"{here}.hostPath.path"))
    return seen, errors


def _tolerations(tolerations: list[Spec], at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, toleration in enumerate(tolerations):
        here, operator = f"{at}[{index}]", toleration.get("operator") or "Equal"
        key = toleration.get("key")
        if key:
            errors += [invalid(f"{here}.key", key, problem) for problem in names.qualified_name(key)]
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(invalid(f"{here}.operator", operator, why))
        if operator not in ("Equal", "Exists", "Gt", "Lt"):
            errors.append(not_supported(f"{here}.operator", operator, ("Equal", "Exists")))
        if operator == "Exists" and toleration.get("value"):
            why = "value must be empty when `operator` is 'Exists'"
            errors.append(invalid(f"{here}.operator", operator, why))
        effect = toleration.get("effect")
        if effect and effect not in ("NoSchedule", "PreferNoSchedule", "NoExecute"):
            errors.append(not_supported(f"{here}.effect", effect, ("NoSchedule", "PreferNoSchedule", "NoExecute")))
    return errors
