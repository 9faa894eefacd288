"""What the Endpoints of a Service should say.

The API is deprecated since 1.33 (KEP-4974) and still written, for whoever still reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from kubelab.engine.client import Object
from kubelab.engine.controllers.endpoints.services import (
    HEADLESS_LABEL,
    can_be_endpoint,
    hostname_for,
    is_headless,
    publishes_unready,
    resolve_port,
    target_ref,
)
from kubelab.engine.controllers.labels import annotations_of, labels_of
from kubelab.engine.controllers.pods import addresses, is_ready

MOST_ADDRESSES = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"


def endpoints_for(service: Object, pods: Iterable[Object], known: Object | None = None) -> Object:
    """The Endpoints object of a Service; what others noted on a known one is kept."""
    subsets, truncated = subsets_for(service, pods)
    meta = service["metadata"]
    labels = {**labels_of(service), MANAGED_BY_LABEL: MANAGER}
    labels.pop(HEADLESS_LABEL, None)
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    annotations = {
        key: value for key, value in (annotations_of(known) if known else {}).items() if key != OVER_CAPACITY
    }
    if truncated:
        annotations[OVER_CAPACITY] = "truncated"
    metadata = {**known["metadata"]} if known else {"name": meta["name"], "namespace": meta["namespace"]}
    metadata.pop("annotations", None)
    metadata |= {"labels": labels, **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, **({"subsets": subsets} if subsets else {})}


def subsets_for(service: Object, pods: Iterable[Object]) -> tuple[list[Object], bool]:
    """The subsets, one a set of ports, sorted; and whether addresses beyond the thousandth were left out."""
    everything = publishes_unready(service)
    entries = []
    for pod in pods:
        if not can_be_endpoint(pod, terminating=everything):
            continue
        ports = _ports_for(service, pod)
        if ports or not service["spec"].get("ports"):
            entries.append((not (everything or is_ready(pod)), _address(service, pod), ports))
    entries.sort(key=lambda entry: (entry[0], entry[1]["ip"], entry[1]["targetRef"]["uid"]))
    kept = entries[:MOST_ADDRESSES]
    groups: dict[str, Object] = {}
    for unready, address, ports in kept:
        key = json.dumps(ports)
        subset = groups.setdefault(key, {"addresses": [], "notReadyAddresses": [], "ports": ports})
        subset["notReadyAddresses" if unready else "addresses"].append(address)
    subsets = [{name: value for name, value in groups[key].items() if value} for key in sorted(groups)]
    return subsets, len(kept) < len(entries)


def _ports_for(service: Object, pod: Object) -> list[Object]:
    ports = []
    for service_port in service["spec"].get("ports") or ():
        number = resolve_port(service_port, pod)
        if number is not None:
            port = {"port": number, "protocol": service_port.get("protocol", "TCP")}
            for name in ("name", "appProtocol"):
                if service_port.get(name):
                    port[name] = service_port[name]
            ports.append(port)
    return sorted(ports, key=lambda port: (port.get("name", ""), port["port"], port["protocol"]))


def _address(service: Object, pod: Object) -> Object:
    address: Object = {"ip": addresses(pod)[0]}
    if hostname := hostname_for(service, pod):
        address["hostname"] = hostname
    if node_name := pod["spec"].get("nodeName"):
        address["nodeName"] = node_name
    return {**address, "targetRef": target_ref(pod)}
