"""Services: defaults, what changes with the type, and the addresses and ports that the server hands out.

Source: https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.allocation import HEADLESS, Refused, ServiceAllocations
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.status import internal
from kubelab.engine.apiserver.storage import Key
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, invalid
from kubelab.engine.apiserver.validation.service import (
    load_balancer_status,
    service_spec,
    service_update,
    service_warnings,
)

Spec = dict[str, Any]

WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


class ServiceKind(Kind):
    """A Service."""

    def name_rule(self, name: str) -> list[str]:
        return names.dns1035_label(name)

    def prepare_status(self, new: Object, old: Object) -> None:
        finalizers = new["metadata"].get("finalizers")  # a service controller has no right to set them elsewhere
        super().prepare_status(new, old)
        new["metadata"].pop("finalizers", None)
        if finalizers:
            new["metadata"]["finalizers"] = finalizers

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        fill(spec, sessionAffinity="None", type="ClusterIP")
        if spec["sessionAffinity"] == "ClientIP":
            client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
            fill(client, timeoutSeconds=10800)
        for port in spec.get("ports") or []:
            fill(port, protocol="TCP")
            if port.get("targetPort") in (None, "", 0) and "port" in port:
                port["targetPort"] = port["port"]
        if externally_accessible(spec):
            fill(spec, externalTrafficPolicy="Cluster")
        if spec["type"] != "ExternalName":
            fill(spec, internalTrafficPolicy="Cluster")
        if spec["type"] == "LoadBalancer":
            fill(spec, allocateLoadBalancerNodePorts=True)
            for ingress in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []:
                if ingress.get("ip"):
                    fill(ingress, ipMode="VIP")
        _pair_cluster_ips(spec)

    def prepare_create(self, obj: Object) -> None:
        obj["status"] = {"loadBalancer": {}}
        default_families(obj["spec"])

    def prepare_update(self, new: Object, old: Object) -> None:
        super().prepare_update(new, old)
        after, before = new["spec"], old["spec"]
        _carry_over(after, before)
        _drop_by_type(after, before)
        if before["type"] == "ExternalName" and after["type"] != "ExternalName":
            default_families(after)
        _pair_cluster_ips(after)
        if "clusterIP" not in after:
            after.pop("clusterIPs", None)
        if before["type"] == "LoadBalancer" and after["type"] != "LoadBalancer":
            new["status"] = {"loadBalancer": {}}

    def warnings(self, obj: Object) -> list[str]:
        return service_warnings(obj["spec"])

    def validate(self, obj: Object) -> list[FieldError]:
        return service_spec(obj["spec"]) + load_balancer_status(obj)

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return service_update(new["spec"], old["spec"])

    def allocate(self, obj: Object, allocations: ServiceAllocations, owner: Key) -> list[FieldError]:
        """Fill in the ClusterIP and the node ports that are still missing; what is asked for must be free.

        As upstream the first thing that cannot be had ends it. Raises a Status of 500 when nothing is left to choose.
        """
        spec = obj["spec"]
        if spec["type"] == "ExternalName":
            return []
        errors = _allocate_ip(spec, allocations, owner)
        if not errors and spec["type"] in WITH_NODE_PORTS:
            errors = _allocate_ports(spec, allocations, owner)
        if not errors and needs_health_check_port(spec):
            _allocate_health_check_port(spec, allocations, owner)
        return errors


def externally_accessible(spec: Spec) -> bool:
    """Whether traffic from outside can be meant for it: only then is there an externalTrafficPolicy."""
    return spec["type"] in WITH_NODE_PORTS or (spec["type"] == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check_port(spec: Spec) -> bool:
    """Whether load balancers ask the nodes which of them has endpoints."""
    return spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def default_families(spec: Spec) -> None:
    """The IP families of this single-stack IPv4 cluster."""
    if spec["type"] == "ExternalName":
        return
    if spec.get("clusterIP") == HEADLESS and not spec.get("selector"):
        fill(spec, ipFamilyPolicy="RequireDualStack")
        if not spec.get("ipFamilies"):
            spec["ipFamilies"] = ["IPv4"] if spec["ipFamilyPolicy"] == "SingleStack" else ["IPv4", "IPv6"]
        return
    fill(spec, ipFamilyPolicy="SingleStack")
    if not spec.get("ipFamilies"):
        spec["ipFamilies"] = ["IPv4"]


def _pair_cluster_ips(spec: Spec) -> None:
    """``clusterIP`` and ``clusterIPs`` say the same; either may be given alone."""
    if spec.get("clusterIP") == "":
        del spec["clusterIP"]
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]


def _allocate_ip(spec: Spec, allocations: ServiceAllocations, owner: Key) -> list[FieldError]:
    wanted = spec.get("clusterIP") or ""
    if wanted == HEADLESS:
        return []
    try:
        address = allocations.take_ip(wanted, owner)
    except Refused as refused:
        if not wanted:
            raise internal(f"failed to allocate a serviceIP: {refused}") from None
        return [invalid("spec.clusterIPs", [wanted], f"failed to allocate IP {wanted}: {refused}")]
    spec["clusterIP"], spec["clusterIPs"] = address, [address]
    return []


def _allocate_ports(spec: Spec, allocations: ServiceAllocations, owner: Key) -> list[FieldError]:
    """Two protocols on one port (DNS on TCP and UDP) share a node port unless the client says otherwise."""
    ports = spec.get("ports") or []
    chooses = spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
    number_of = {port["port"]: port["nodePort"] for port in reversed(ports) if port.get("nodePort")}
    taken = {(port.get("nodePort"), port["protocol"]) for port in ports}
    for index, port in enumerate(ports):
        if not port.get("nodePort") and not chooses:
            continue
        shared = number_of.get(port["port"], 0)
        wanted = port.get("nodePort") or (0 if (shared, port["protocol"]) in taken else shared)
        try:
            port["nodePort"] = allocations.take_port(wanted, owner, {number for number, _ in taken if number})
        except Refused as refused:
            if not wanted:
                raise internal(f"failed to allocate a nodePort: {refused}") from None
            return [invalid(f"spec.ports[{index}].nodePort", wanted, str(refused))]
        number_of.setdefault(port["port"], port["nodePort"])
        taken.add((port["nodePort"], port["protocol"]))
    return []


def _allocate_health_check_port(spec: Spec, allocations: ServiceAllocations, owner: Key) -> None:
    mine = {port["nodePort"] for port in spec.get("ports") or [] if port.get("nodePort")}
    wanted = spec.get("healthCheckNodePort", 0)
    try:
        if wanted in mine:
            raise Refused("provided port is already allocated")
        spec["healthCheckNodePort"] = allocations.take_port(wanted, owner, mine)
    except Refused as refused:
        which = f"requested HealthCheck NodePort {wanted}" if wanted else "a HealthCheck NodePort 0"
        raise internal(f"failed to allocate {which}: {refused}") from None


def _carry_over(after: Spec, before: Spec) -> None:
    """What the server gave and the client left out stays (a PUT of the original manifest works)."""
    if after.get("clusterIP") != before.get("clusterIP") and after.get("clusterIPs") == before.get("clusterIPs"):
        after.pop("clusterIPs", None)  # whoever writes the one alone means both
    if before["type"] != "ExternalName" and after["type"] != "ExternalName":
        if not after.get("clusterIP") and "clusterIP" in before:
            after["clusterIP"] = before["clusterIP"]
            if not after.get("clusterIPs"):
                after["clusterIPs"] = list(before.get("clusterIPs") or [])
        for member in ("ipFamilies", "ipFamilyPolicy"):
            if not after.get(member) and member in before:
                after[member] = before[member]
    if before["type"] in WITH_NODE_PORTS and after["type"] in WITH_NODE_PORTS:
        # By name: a port keeps its node port when its number changes, and gets another when its name does.
        known = {port.get("name"): port.get("nodePort") for port in before.get("ports") or []}
        taken = {port.get("nodePort") for port in after.get("ports") or []}
        for port in after.get("ports") or []:
            number = known.get(port.get("name"))
            if not port.get("nodePort") and number and number not in taken:
                port["nodePort"] = number
    if needs_health_check_port(before) and needs_health_check_port(after) and "healthCheckNodePort" in before:
        fill(after, healthCheckNodePort=before["healthCheckNodePort"])


def _drop_by_type(after: Spec, before: Spec) -> None:
    """What only made sense for the former type goes, unless the client has just set it."""

    def drop(member: str) -> None:
        if after.get(member) == before.get(member):
            after.pop(member, None)

    if before["type"] != "ExternalName" and after["type"] == "ExternalName":
        for member in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            drop(member)
    if before["type"] in WITH_NODE_PORTS and after["type"] not in WITH_NODE_PORTS:
        former = {port.get("nodePort") for port in before.get("ports") or []}
        ports = after.get("ports") or []
        if all(port.get("nodePort") in {*former, None, 0} for port in ports):
            for port in ports:
                port.pop("nodePort", None)
    if needs_health_check_port(before) and not needs_health_check_port(after):
        drop("healthCheckNodePort")
    if before["type"] == "LoadBalancer" and after["type"] != "LoadBalancer":
        drop("allocateLoadBalancerNodePorts")
        drop("loadBalancerClass")
    if externally_accessible(before) and not externally_accessible(after):
        drop("externalTrafficPolicy")
    if before.get("sessionAffinity") == "ClientIP" and after.get("sessionAffinity") == "None":
        drop("sessionAffinityConfig")
