"""The rules of probes and of lifecycle hooks.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe
"""

from __future__ import annotations

import re
from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, invalid, not_supported, required

Spec = dict[str, Any]

_ACTIONS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HEADER = "[-A-Za-z0-9]+"
_HEADER_RULE = (
    "a valid HTTP header must consist of alphanumeric characters or '-' "
    f"(e.g. 'X-Header-Name', regex used for validation is '{_HEADER}')"
)


def probes_and_hooks(container: Spec, at: str, *, runs_once: bool, grace: int | None) -> list[FieldError]:
    """Of one container; ``runs_once``: an init container, ``grace``: its pod's terminationGracePeriodSeconds."""
    errors: list[FieldError] = []
    once = "may not be set for init containers without restartPolicy=Always"
    for name in _PROBES:
        if name in container and runs_once:
            errors.append(forbidden(f"{at}.{name}", once))
        elif name in container:
            errors += _probe(name, container[name], f"{at}.{name}")
    lifecycle = container.get("lifecycle")
    if lifecycle is not None and runs_once:
        return [*errors, forbidden(f"{at}.lifecycle", once)]
    for hook in ("postStart", "preStop"):
        handler = (lifecycle or {}).get(hook)
        if handler is not None:
            errors += _action(handler, f"{at}.lifecycle.{hook}", grace)
    return errors


def _probe(name: str, probe: Spec, at: str) -> list[FieldError]:
    errors = _action(probe, at)
    for member in _NUMBERS:
        number = probe.get(member)
        if number is not None and number < 0:
            errors.append(invalid(f"{at}.{member}", number, "must be greater than or equal to 0"))
    grace = probe.get("terminationGracePeriodSeconds")
    here = f"{at}.terminationGracePeriodSeconds"
    if name == "readinessProbe":
        return errors + ([] if grace is None else [invalid(here, grace, "must not be set for readinessProbes")])
    if grace is not None and grace <= 0:
        errors.append(invalid(here, grace, "must be greater than 0"))
    if probe.get("successThreshold", 1) != 1:
        errors.append(invalid(f"{at}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def _action(action: Spec, at: str, grace: int | None = None) -> list[FieldError]:
    chosen = [name for name in _ACTIONS if name in action]
    if not chosen:
        return [required(at, "must specify a handler type")]
    errors = [forbidden(f"{at}.{name}", "may not specify more than 1 handler type") for name in chosen[1:]]
    name, handler = chosen[0], action[chosen[0]]
    match name:
        case "exec":
            return errors if handler.get("command") else [*errors, required(f"{at}.exec.command")]
        case "httpGet":
            errors += _http(handler, f"{at}.httpGet")
        case "sleep":
            seconds = handler.get("seconds", 0)
            if grace is not None and not 0 <= seconds <= grace:
                why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                errors.append(invalid(f"{at}.sleep", seconds, why))
            return errors
    return errors + port_or_name(handler.get("port", 0), f"{at}.{name}.port")


def _http(handler: Spec, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if handler.get("scheme") not in ("HTTP", "HTTPS"):
        errors.append(not_supported(f"{at}.scheme", handler.get("scheme"), ("HTTP", "HTTPS")))
    for header in handler.get("httpHeaders") or []:
        if not re.fullmatch(_HEADER, header.get("name", "")):
            errors.append(invalid(f"{at}.httpHeaders", header.get("name", ""), _HEADER_RULE))
    return errors


def port_or_name(port: Any, at: str) -> list[FieldError]:
    """A port given by its number or by a container port's name."""
    problems = names.port_name(port) if isinstance(port, str) else names.port_number(port)
    return [invalid(at, port, problem) for problem in problems]
