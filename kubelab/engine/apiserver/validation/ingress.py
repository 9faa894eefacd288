"""The rules of an Ingress and of an IngressClass, as Kubernetes 1.36 has them.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/ and .../ingress-class-v1/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    forbidden,
    invalid,
    not_supported,
    required,
)

Spec = dict[str, Any]

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
LONGEST_CONTROLLER = 250
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_THE_END = ("/..", "/.")
_ADDRESS_AS_NAME = "must be a DNS name, not an IP address"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_SCOPES = ("Cluster", "Namespace")


def ingress_spec(spec: Spec) -> list[FieldError]:
    """Everything wrong with an Ingress's spec."""
    errors: list[FieldError] = []
    backend, rules = spec.get("defaultBackend"), spec.get("rules") or []
    if not rules and backend is None:
        errors.append(invalid("spec", None, "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        errors += _backend(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        errors += _rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or []):
        errors += _tls(tls, f"spec.tls[{index}]")
    if "ingressClassName" in spec:
        name = spec["ingressClassName"]
        errors += _each("spec.ingressClassName", name, names.dns1123_subdomain(name))
    return errors


def load_balancer_status(status: Spec) -> list[FieldError]:
    """Everything wrong with the addresses that an ingress controller wrote."""
    errors: list[FieldError] = []
    for index, point in enumerate((status.get("loadBalancer") or {}).get("ingress") or []):
        here, ip, host = f"status.loadBalancer.ingress[{index}]", point.get("ip"), point.get("hostname")
        if ip:
            errors += _each(f"{here}.ip", ip, names.ip_address(ip))
        if host:
            errors += _each(f"{here}.hostname", host, names.dns1123_subdomain(host))
            if not names.ip_address(host):
                errors.append(invalid(f"{here}.hostname", host, _ADDRESS_AS_NAME))
    return errors


def _each(field: str, value: Any, problems: list[str]) -> list[FieldError]:
    return [invalid(field, value, problem) for problem in problems]


def _host(host: str) -> list[str]:
    return names.wildcard_subdomain(host) if "*" in host else names.dns1123_subdomain(host)


def _rule(rule: Spec, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    host = rule.get("host")
    if host:
        if not names.ip_address(host):
            errors.append(invalid(f"{here}.host", host, _ADDRESS_AS_NAME))
        errors += _each(f"{here}.host", host, _host(host))
    if rule.get("http") is not None:
        paths = rule["http"].get("paths") or []
        if not paths:
            errors.append(required(f"{here}.http.paths"))
        for index, path in enumerate(paths):
            errors += _path(path, f"{here}.http.paths[{index}]")
    return errors


def _path(path: Spec, here: str) -> list[FieldError]:
    kind, text = path.get("pathType"), path.get("path", "")
    if kind is None:
        return [required(f"{here}.pathType", "pathType must be specified")]
    problems: list[str] = []
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            problems.append("must be an absolute path")
        problems += [f"must not contain '{part}'" for part in _NOT_IN_PATHS if part in text]
        problems += [f"cannot end with '{part}'" for part in _NOT_AT_THE_END if text.endswith(part)]
    elif kind == "ImplementationSpecific" and text and not text.startswith("/"):
        problems.append("must be an absolute path")
    errors = _each(f"{here}.path", text, problems)
    if kind not in PATH_TYPES:
        errors.append(not_supported(f"{here}.pathType", kind, PATH_TYPES))
    return errors + _backend(path.get("backend") or {}, f"{here}.backend")


def _backend(backend: Spec, here: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(here, "", "cannot set both resource and service backends")]
    if resource is not None:
        return _reference(resource, f"{here}.resource")
    if service is None:
        return [invalid(here, "", "resource or service backend is required")]
    name = service.get("name") or ""
    return names.all_of(f"{here}.service.name", name, names.dns1035_label(name)) + _backend_port(service, here)


def _backend_port(service: Spec, here: str) -> list[FieldError]:
    port = service.get("port") or {}
    name, number = port.get("name"), port.get("number")
    if name and number:
        return [invalid(here, "", "cannot set both port name & port number")]
    if name:
        return _each(f"{here}.service.port.name", name, names.port_name(name))
    if number:
        return _each(f"{here}.service.port.number", number, names.port_number(number))
    return [required(here, "port name or number is required")]


def _tls(tls: Spec, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, host in enumerate(tls.get("hosts") or []):
        errors += _each(f"{here}.hosts[{index}]", host, _host(host))
    secret = tls.get("secretName")
    return errors + (_each(f"{here}.secretName", secret, names.dns1123_subdomain(secret)) if secret else [])


def _reference(target: Mapping[str, Any], here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if target.get("apiGroup") is not None:
        errors += _each(f"{here}.apiGroup", target["apiGroup"], names.dns1123_subdomain(target["apiGroup"]))
    for member in ("kind", "name"):
        text = target.get(member) or ""
        errors += names.all_of(f"{here}.{member}", text, names.path_segment(text))
    return errors


# -- IngressClass ------------------------------------------------------------------------------


def ingress_class_spec(spec: Spec) -> list[FieldError]:
    """Everything wrong with an IngressClass's spec."""
    controller = spec.get("controller") or ""
    errors: list[FieldError] = []
    if len(controller.encode()) > LONGEST_CONTROLLER:
        why = f"may not be more than {LONGEST_CONTROLLER} bytes"
        errors.append(FieldError("FieldValueTooLong", "spec.controller", None, why))
    errors += _domain_prefixed_path("spec.controller", controller)
    if spec.get("parameters") is not None:
        errors += _parameters(spec["parameters"], "spec.parameters")
    return errors


def _domain_prefixed_path(field: str, value: str) -> list[FieldError]:
    if not value:
        return [required(field)]
    domain, _, path = value.partition("/")
    if not domain or not path:
        return [invalid(field, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = _each(field, domain, names.dns1123_subdomain(domain))
    if not re.fullmatch(_HTTP_PATH, path):
        errors.append(invalid(field, path, f"Invalid path (regex used for validation is '{_HTTP_PATH}')"))
    return errors


def _parameters(parameters: Spec, here: str) -> list[FieldError]:
    errors = _reference(parameters, here)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope not in _SCOPES:
        errors.append(not_supported(f"{here}.scope", scope, _SCOPES))
    elif scope == "Cluster" and namespace is not None:
        errors.append(forbidden(f"{here}.namespace", "`parameters.scope` is set to 'Cluster'"))
    elif scope == "Namespace" and namespace is not None:
        errors += _each(f"{here}.namespace", namespace, names.dns1123_label(namespace))
    elif scope == "Namespace":
        errors.append(required(f"{here}.namespace", "`parameters.scope` is set to 'Namespace'"))
    return errors
