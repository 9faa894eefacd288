"""Services: defaults, what changes with the type, and the addresses and ports that the server hands out.

Source: https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.allocation import HEADLESS, Refused, ServiceAllocations
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.storage import Key
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, invalid
from kubelab.engine.apiserver.validation.service import service_spec, service_update

Spec = dict[str, Any]

WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


class ServiceKind(Kind):
    """A Service."""

    def name_rule(self, name: str) -> list[str]:
        return names.dns1035_label(name)

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

    def validate(self, obj: Object) -> list[FieldError]:
        return service_spec(obj["spec"])

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return service_update(new["spec"], old["spec"])

    def allocate(self, obj: Object, allocations: ServiceAllocations, owner: Key) -> list[FieldError]:
        """Fill in the ClusterIP and the node ports that are still missing; what is asked for must be free."""
        spec = obj["spec"]
        if spec["type"] == "ExternalName":
            return []
        errors = _allocate_ip(spec, allocations, owner)
        if wants_node_ports(spec):
            errors += _allocate_ports(spec, allocations, owner)
        if needs_health_check_port(spec):
            try:
                mine = [port.get("nodePort", 0) for port in spec.get("ports") or []]
                wanted = spec.get("healthCheckNodePort", 0)
                spec["healthCheckNodePort"] = allocations.take_port(wanted, owner, mine)
            except Refused as refused:
                errors.append(invalid("spec.healthCheckNodePort", spec["healthCheckNodePort"], str(refused)))
        return errors


def externally_accessible(spec: Spec) -> bool:
    """Whether traffic from outside can be meant for it: only then is there an externalTrafficPolicy."""
    return spec["type"] in WITH_NODE_PORTS or (spec["type"] == "ClusterIP" and bool(spec.get("externalIPs")))


def wants_node_ports(spec: Spec) -> bool:
    """Whether its ports get node ports."""
    if spec["type"] == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts", True)
    return spec["type"] == "NodePort"


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
        why = f"failed to allocate IP {wanted}: {refused}" if wanted else f"failed to allocate a serviceIP: {refused}"
        return [invalid("spec.clusterIPs", [wanted] if wanted else [], why)]
    spec["clusterIP"], spec["clusterIPs"] = address, [address]
    return []


def _allocate_ports(spec: Spec, allocations: ServiceAllocations, owner: Key) -> list[FieldError]:
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    given: dict[int, str] = {}
    mine = {port["nodePort"] for port in ports if port.get("nodePort")}
    for index, port in enumerate(ports):
        wanted, protocol = port.get("nodePort", 0), port["protocol"]
        try:
            number = _same_number(port, ports, given) or allocations.take_port(wanted, owner, mine)
        except Refused as refused:
            errors.append(invalid(f"spec.ports[{index}].nodePort", wanted, str(refused)))
            continue
        port["nodePort"] = number
        mine.add(number)
        given[number] = protocol
    return errors


def _same_number(port: Spec, ports: list[Spec], given: dict[int, str]) -> int:
    """Two protocols on one port (DNS on TCP and UDP) share a node port when the server picks it."""
    if port.get("nodePort"):
        return 0
    for other in ports:
        number = other.get("nodePort", 0)
        if number in given and other["port"] == port["port"] and other["protocol"] != port["protocol"]:
            return number
    return 0


def _carry_over(after: Spec, before: Spec) -> None:
    """What the server gave and the client left out stays (a PUT of the original manifest works)."""
    if before["type"] != "ExternalName" and after["type"] != "ExternalName":
        if not after.get("clusterIP") and "clusterIP" in before:
            after["clusterIP"] = before["clusterIP"]
            if not after.get("clusterIPs"):
                after["clusterIPs"] = list(before.get("clusterIPs") or [])
        for member in ("ipFamilies", "ipFamilyPolicy"):
            if not after.get(member) and member in before:
                after[member] = before[member]
    if before["type"] in WITH_NODE_PORTS and after["type"] in WITH_NODE_PORTS:
        known = {(port["port"], port["protocol"]): port.get("nodePort") for port in before.get("ports") or []}
        taken = {port.get("nodePort") for port in after.get("ports") or []}
        for port in after.get("ports") or []:
            number = known.get((port.get("port"), port["protocol"]))
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
        for port in after.get("ports") or []:
            if port.get("nodePort") in former:
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
