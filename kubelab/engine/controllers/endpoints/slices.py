"""What the EndpointSlices of a Service should say: endpoints, ports, hints.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/, KEP-1669 (terminating endpoints),
KEP-3015 and KEP-4444 (hints from ``trafficDistribution``).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable

from kubelab.engine.client import Object
from kubelab.engine.client.resources import SERVICES
from kubelab.engine.controllers.endpoints.services import (
    HEADLESS_LABEL,
    can_be_endpoint,
    hostname_for,
    is_headless,
    publishes_unready,
    resolve_port,
    target_ref,
)
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.owners import controller_reference, is_being_deleted
from kubelab.engine.controllers.pods import addresses, is_ready

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
ZONE_LABEL = "topology.kubernetes.io/zone"

Group = tuple[list[Object], list[Object]]
"""Ports, and the endpoints that have them: a slice holds endpoints of one set of ports only."""


def address_types(service: Object) -> list[str]:
    """IPv4, IPv6 or both, as the Service's ``ipFamilies`` say."""
    return list(service["spec"].get("ipFamilies") or ["IPv4"])


def groups_for(
    service: Object, pods: Iterable[Object], node: Callable[[str], Object | None], family: str
) -> dict[str, Group]:
    """The wanted endpoints of one address family, grouped by their ports.

    A pod on a node that is not there (any more) is left out, unless the Service publishes all addresses.
    """
    groups: dict[str, Group] = {}
    for pod in pods:
        its_node = node(pod["spec"].get("nodeName", ""))
        if not can_be_endpoint(pod, terminating=True) or (its_node is None and not publishes_unready(service)):
            continue
        ports = ports_for(service, pod)
        endpoint = endpoint_for(service, pod, its_node, family)
        if endpoint is not None:
            groups.setdefault(port_key(ports), (ports, []))[1].append(endpoint)
    return groups


def ports_for(service: Object, pod: Object) -> list[Object]:
    """The slice's ports for a pod; one that the pod does not have is left out."""
    ports = []
    for service_port in service["spec"].get("ports") or ():
        number = resolve_port(service_port, pod)
        if number is None:
            continue
        port = {"name": service_port.get("name", ""), "port": number, "protocol": service_port.get("protocol", "TCP")}
        if service_port.get("appProtocol"):
            port["appProtocol"] = service_port["appProtocol"]
        ports.append(port)
    return ports


def port_key(ports: Iterable[Object] | None) -> str:
    """Equal for equal sets of ports, whatever their order."""
    return json.dumps(sorted(json.dumps(port, sort_keys=True) for port in ports or ()))


def endpoint_for(service: Object, pod: Object, node: Object | None, family: str) -> Object | None:
    """The endpoint that stands for a pod; None when it has no address of the family.

    *serving* is the pod's readiness, be it terminating or not; *ready* is never true of a terminating pod unless the
    Service publishes all addresses.
    """
    version = 6 if family == "IPv6" else 4
    mine = [each for each in addresses(pod) if ipaddress.ip_address(each).version == version]
    if not mine:
        return None
    serving, terminating = is_ready(pod), is_being_deleted(pod)
    ready = publishes_unready(service) or (serving and not terminating)
    endpoint: Object = {
        "addresses": mine[:1],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
    }
    if hostname := hostname_for(service, pod):
        endpoint["hostname"] = hostname
    if node_name := pod["spec"].get("nodeName"):
        endpoint["nodeName"] = node_name
    endpoint["targetRef"] = target_ref(pod)
    zone = labels_of(node).get(ZONE_LABEL) if node else None
    if zone:
        endpoint["zone"] = zone
    if ready and (hints := hints_for(service, endpoint)):
        endpoint["hints"] = hints
    return endpoint


def hints_for(service: Object, endpoint: Object) -> Object | None:
    """Who should use the endpoint: its own zone, with PreferSameNode its own node as well."""
    preference = service["spec"].get("trafficDistribution")
    hints: Object = {}
    if preference in ("PreferClose", "PreferSameZone", "PreferSameNode") and endpoint.get("zone"):
        hints["forZones"] = [{"name": endpoint["zone"]}]
    if preference == "PreferSameNode" and endpoint.get("nodeName"):
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return hints or None


def slice_labels(service: Object) -> dict[str, str]:
    """The Service's own labels and those that say whose slice it is and who writes it."""
    own = {SERVICE_NAME_LABEL, MANAGED_BY_LABEL, HEADLESS_LABEL}
    labels = {key: value for key, value in labels_of(service).items() if key not in own}
    labels |= {SERVICE_NAME_LABEL: service["metadata"]["name"], MANAGED_BY_LABEL: MANAGER}
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    return labels


def new_slice(service: Object, family: str, ports: list[Object], endpoints: list[Object]) -> Object:
    """A slice for the API to name."""
    meta = service["metadata"]
    return {
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": slice_labels(service),
            "ownerReferences": [controller_reference(service, SERVICES)],
        },
        "addressType": family,
        "ports": ports,
        "endpoints": endpoints,
    }
