"""The rules of a Service.

Source: https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.allocation import HEADLESS
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    forbidden,
    invalid,
    not_supported,
    one_of,
    required,
)
from kubelab.engine.apiserver.validation.pod import PROTOCOLS
from kubelab.engine.apiserver.validation.probes import port_or_name

Spec = dict[str, Any]

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
POLICIES = ("Cluster", "Local")
IP_MODES = ("Proxy", "VIP")
DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
LONGEST_AFFINITY_SECONDS = 86400
SOURCE_RANGES = "spec.LoadBalancerSourceRanges"
"""Upstream's errors name the field with a capital L."""


def service_spec(spec: Spec) -> list[FieldError]:
    """Everything wrong with a Service's spec."""
    kind = spec["type"]
    errors = one_of("spec.type", kind, TYPES)
    headless = spec.get("clusterIP") == HEADLESS
    if not spec.get("ports") and not headless and kind != "ExternalName":
        errors.append(required("spec.ports"))
    if kind == "ExternalName":
        errors += _external_name(spec)
    errors += _ports(spec)
    errors += names.labels(spec.get("selector"), "spec.selector")
    errors += _affinity(spec)
    errors += _cluster_ip(spec)
    for index, address in enumerate(spec.get("externalIPs") or []):
        problems = names.ip_address(address) or names.special_ip_address(address)
        errors += [invalid(f"spec.externalIPs[{index}]", address, why) for why in problems]
    errors += _policies(spec)
    errors += _load_balancer(spec)
    return errors


def _external_name(spec: Spec) -> list[FieldError]:
    name = spec.get("externalName", "")
    errors = []
    if spec.get("clusterIPs"):
        errors.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
    for member in ("ipFamilies", "ipFamilyPolicy"):
        if spec.get(member):
            errors.append(forbidden(f"spec.{member}", "may not be set for ExternalName services"))
    problems = names.dns1123_subdomain(name.lower().removesuffix("."))
    return errors + names.all_of("spec.externalName", name, problems)


def _ports(spec: Spec) -> list[FieldError]:
    errors: list[FieldError] = []
    ports = spec.get("ports") or []
    seen_names: set[str] = set()
    seen_ports: set[tuple[int, str]] = set()
    seen_node_ports: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        here = f"spec.ports[{index}]"
        errors += _port(spec, port, here, len(ports) > 1)
        name, number, protocol = port.get("name"), port.get("port", 0), port.get("protocol", "")
        if name and name in seen_names:
            errors.append(duplicate(f"{here}.name", name))
        seen_names.add(name or "")
        if (number, protocol) in seen_ports:
            errors.append(duplicate(here, {"protocol": protocol, "port": number}))
        seen_ports.add((number, protocol))
        node_port = (port.get("nodePort", 0), protocol)
        if node_port[0] and node_port in seen_node_ports:
            errors.append(duplicate(f"{here}.nodePort", node_port[0]))
        seen_node_ports.add(node_port)
    return errors


def _port(spec: Spec, port: Spec, here: str, needs_name: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    name = port.get("name", "")
    if name:
        errors += [invalid(f"{here}.name", name, why) for why in names.dns1123_label(name)]
    elif needs_name:
        errors.append(required(f"{here}.name"))
    errors += [invalid(f"{here}.port", port.get("port", 0), why) for why in names.port_number(port.get("port", 0))]
    errors += one_of(f"{here}.protocol", port.get("protocol"), PROTOCOLS)
    if "targetPort" in port:
        errors += port_or_name(port["targetPort"], f"{here}.targetPort")
    if protocol := port.get("appProtocol"):
        errors += [invalid(f"{here}.appProtocol", protocol, problem) for problem in names.qualified_name(protocol)]
    if spec["type"] == "ClusterIP" and port.get("nodePort"):
        errors.append(forbidden(f"{here}.nodePort", "may not be used when `type` is 'ClusterIP'"))
    return errors


def _affinity(spec: Spec) -> list[FieldError]:
    errors = one_of("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    config = spec.get("sessionAffinityConfig")
    if spec.get("sessionAffinity") == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds", 0)
        if not 0 < seconds <= LONGEST_AFFINITY_SECONDS:
            why = f"must be greater than 0 and less than or equal to {LONGEST_AFFINITY_SECONDS}"
            errors.append(invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, why))
    elif config is not None:
        errors.append(forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None"))
    return errors


def _cluster_ip(spec: Spec) -> list[FieldError]:
    if spec["type"] == "ExternalName":
        return []
    errors: list[FieldError] = []
    address, addresses = spec.get("clusterIP"), spec.get("clusterIPs") or []
    if address and addresses and addresses[0] != address:
        errors.append(invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    for index, one in enumerate(addresses):
        here = f"spec.clusterIPs[{index}]"
        if one == HEADLESS:
            if len(addresses) > 1:
                errors.append(invalid(here, one, "'None' must be the first and only value"))
            if spec["type"] != "ClusterIP":
                errors.append(invalid(here, one, f"may not be set to 'None' for {spec['type']} services"))
        else:
            errors += [invalid(here, one, why) for why in names.ip_address(one)]
    if len(addresses) > 1 and not errors:
        errors.append(
            invalid("spec.clusterIPs", addresses, "may only hold one value: this cluster is IPv4 single-stack")
        )
    return errors + _families(spec)


def _families(spec: Spec) -> list[FieldError]:
    if spec.get("clusterIP") == HEADLESS and not spec.get("selector"):
        return []
    errors: list[FieldError] = []
    families = spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        if family in families[:index]:
            errors.append(duplicate(f"spec.ipFamilies[{index}]", family))
        if family not in ("IPv4", "IPv6"):
            errors.append(not_supported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6")))
        elif family == "IPv6":
            errors.append(invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    policy = spec.get("ipFamilyPolicy")
    if policy == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        errors.append(invalid("spec.ipFamilyPolicy", policy, why))
    elif policy not in ("SingleStack", "PreferDualStack"):
        errors.append(
            not_supported("spec.ipFamilyPolicy", policy, ("SingleStack", "PreferDualStack", "RequireDualStack"))
        )
    return errors


def _policies(spec: Spec) -> list[FieldError]:
    errors: list[FieldError] = []
    accessible = spec["type"] in ("NodePort", "LoadBalancer") or (
        spec["type"] == "ClusterIP" and bool(spec.get("externalIPs"))
    )
    external = spec.get("externalTrafficPolicy")
    if external and not accessible:
        why = "may only be set for externally-accessible services"
        errors.append(invalid("spec.externalTrafficPolicy", external, why))
    elif external and external not in POLICIES:
        errors.append(not_supported("spec.externalTrafficPolicy", external, POLICIES))
    internal = spec.get("internalTrafficPolicy")
    if internal and internal not in POLICIES:
        errors.append(not_supported("spec.internalTrafficPolicy", internal, POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution and distribution not in DISTRIBUTIONS:
        errors.append(not_supported("spec.trafficDistribution", distribution, DISTRIBUTIONS))
    if spec.get("healthCheckNodePort") and not (spec["type"] == "LoadBalancer" and external == "Local"):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(invalid("spec.healthCheckNodePort", spec["healthCheckNodePort"], why))
    return errors


def _load_balancer(spec: Spec) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec["type"] != "LoadBalancer":
        for member in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(member) not in (None, []):
                field = SOURCE_RANGES if member == "loadBalancerSourceRanges" else f"spec.{member}"
                errors.append(forbidden(field, "may only be used when `type` is 'LoadBalancer'"))
        return errors
    for index, span in enumerate(spec.get("loadBalancerSourceRanges") or []):
        errors += [invalid(f"{SOURCE_RANGES}[{index}]", span.strip(), why) for why in names.cidr(span.strip())]
    name = spec.get("loadBalancerClass")
    if name is not None:
        errors += [invalid("spec.loadBalancerClass", name, why) for why in names.qualified_name(name)]
    return errors


def load_balancer_status(service: dict[str, Any]) -> list[FieldError]:
    """Everything wrong with the addresses that a load balancer's maker wrote."""
    here = "status.loadBalancer.ingress"
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    if ingress and service["spec"]["type"] != "LoadBalancer":
        return [forbidden(here, "may only be used when `spec.type` is 'LoadBalancer'")]
    errors: list[FieldError] = []
    for index, each in enumerate(ingress):
        at, ip, mode, host = f"{here}[{index}]", each.get("ip"), each.get("ipMode"), each.get("hostname")
        if ip:
            errors += [invalid(f"{at}.ip", ip, why) for why in names.ip_address(ip)]
        if mode and not ip:
            errors.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif mode and mode not in IP_MODES:
            errors.append(not_supported(f"{at}.ipMode", mode, IP_MODES))
        if host:
            errors += [invalid(f"{at}.hostname", host, why) for why in names.dns1123_subdomain(host)]
            if not names.ip_address(host):
                errors.append(invalid(f"{at}.hostname", host, "must be a DNS name, not an IP address"))
    return errors


def service_warnings(spec: Spec) -> list[str]:
    """What a Service asks for that is old, or that has no effect. The words are those of 1.36."""
    said: list[str] = []
    headless = spec["type"] == "ClusterIP" and spec.get("clusterIP") == HEADLESS
    external = bool(spec.get("externalIPs"))
    if headless:
        said += ["spec.loadBalancerIP is ignored for headless services"] if spec.get("loadBalancerIP") else []
        said += ["spec.externalIPs is ignored for headless services"] if external else []
        if spec.get("sessionAffinity") != "None":
            said.append("spec.SessionAffinity is ignored for headless services")
    elif external and spec["type"] != "ExternalName":
        said.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if spec["type"] == "ExternalName" and external:
        said.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec["type"] != "ExternalName" and spec.get("externalName"):
        said.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        said.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return said


def service_update(new: Spec, old: Spec) -> list[FieldError]:
    """What may not change once it is set."""
    errors: list[FieldError] = []
    if "ExternalName" not in (new["type"], old["type"]):
        before, after = old.get("clusterIP"), new.get("clusterIP")
        if before and not after:
            errors.append(
                invalid("spec.clusterIPs[0]", new.get("clusterIPs") or [], "primary clusterIP can not be unset")
            )
        elif before and after != before:
            errors.append(invalid("spec.clusterIPs[0]", new.get("clusterIPs") or [after], "may not change once set"))
        if old.get("ipFamilies") and (new.get("ipFamilies") or [""])[0] != old["ipFamilies"][0]:
            errors.append(invalid("spec.ipFamilies[0]", (new.get("ipFamilies") or [""])[0], "may not change once set"))
    if new["type"] == old["type"] == "LoadBalancer":
        if new.get("loadBalancerClass") != old.get("loadBalancerClass"):
            errors.append(invalid("spec.loadBalancerClass", new.get("loadBalancerClass"), "may not change once set"))
        both_local = new.get("externalTrafficPolicy") == old.get("externalTrafficPolicy") == "Local"
        if both_local and new.get("healthCheckNodePort") != old.get("healthCheckNodePort"):
            errors.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return errors
