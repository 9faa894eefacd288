"""The columns of each kind, and how a row's cells are made."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.tables import cells as c
from kubelab.engine.apiserver.tables.addresses import ADDRESS_TABLES
from kubelab.engine.apiserver.tables.cells import AGE, NAME, NONE, Column, TableOf, wide
from kubelab.engine.apiserver.tables.ingress import (
    INGRESS_CLASS_COLUMNS,
    INGRESS_COLUMNS,
    ingress_cells,
    ingress_class_cells,
)
from kubelab.engine.apiserver.tables.pods import POD_COLUMNS, pod_cells
from kubelab.engine.apiserver.tables.policies import POLICY_TABLES
from kubelab.engine.apiserver.tables.rbac import BINDING_COLUMNS, ROLE_COLUMNS, binding_cells, role_cells
from kubelab.engine.apiserver.tables.sets import SET_TABLES

_ROLE = "node-role.kubernetes.io/"


def _name(obj: Object) -> str:
    return obj["metadata"]["name"]


def _generic(obj: Object, now: float) -> list[Any]:
    return [_name(obj), c.age(obj, now)]


def _service(obj: Object, now: float) -> list[Any]:
    spec = obj["spec"]
    return [
        _name(obj),
        spec["type"],
        spec.get("clusterIP") or NONE,
        _external_ip(obj),
        _port_list(spec.get("ports") or []),
        c.age(obj, now),
        c.labels(spec.get("selector")),
    ]


def _external_ip(obj: Object) -> str:
    spec = obj["spec"]
    fixed = spec.get("externalIPs") or []
    if spec["type"] == "ExternalName":
        return spec.get("externalName") or NONE
    if spec["type"] != "LoadBalancer":
        return ",".join(fixed) or NONE
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    given = ",".join(dict.fromkeys(one.get("ip") or one.get("hostname", "") for one in ingress))
    return ",".join([part for part in (given, *fixed) if part]) or "<pending>"


def _port_list(ports: list[Any]) -> str:
    shown = [
        f"{port['port']}:{port['nodePort']}/{port['protocol']}"
        if port.get("nodePort")
        else f"{port['port']}/{port['protocol']}"
        for port in ports
    ]
    return ",".join(shown) or NONE


def _node(obj: Object, now: float) -> list[Any]:
    spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    ready = [condition for condition in status.get("conditions") or [] if condition.get("type") == "Ready"]
    words = ["Ready" if ready[0].get("status") == "True" else "NotReady"] if ready else ["Unknown"]
    if spec.get("unschedulable"):
        words.append("SchedulingDisabled")
    labels = meta.get("labels") or {}
    roles = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE) and key != _ROLE}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    addresses = {one["type"]: one["address"] for one in reversed(status.get("addresses") or [])}
    info = status.get("nodeInfo") or {}
    return [
        meta["name"],
        ",".join(words),
        ",".join(sorted(roles)) or NONE,
        c.age(obj, now),
        info.get("kubeletVersion") or "",
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or c.UNKNOWN,
        info.get("kernelVersion") or c.UNKNOWN,
        info.get("containerRuntimeVersion") or c.UNKNOWN,
    ]


def _deployment(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        _name(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        c.age(obj, now),
        *c.containers(spec["template"]["spec"]),
        c.selector(spec.get("selector")),
    ]


def _replica_set(obj: Object, now: float) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        _name(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        c.age(obj, now),
        *c.containers(spec["template"]["spec"]),
        c.selector(spec.get("selector")),
    ]


def _endpoints(obj: Object, now: float) -> list[Any]:
    shown: list[str] = []
    for subset in obj.get("subsets") or []:
        addresses = [address["ip"] for address in subset.get("addresses") or []]
        ports = [port["port"] for port in subset.get("ports") or []]
        bracketed = [f"[{ip}]" if ":" in ip else ip for ip in addresses]
        shown += [f"{ip}:{port}" for port in ports for ip in bracketed] if ports else addresses
    return [_name(obj), c.truncated(shown) or NONE, c.age(obj, now)]


def _endpoint_slice(obj: Object, now: float) -> list[Any]:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or []]
    addresses = [address for endpoint in obj.get("endpoints") or [] for address in endpoint["addresses"]]
    return [
        _name(obj),
        obj.get("addressType", ""),
        c.truncated(ports) or "<unset>",
        c.truncated(addresses) or "<unset>",
        c.age(obj, now),
    ]


def _event(obj: Object, now: float) -> list[Any]:
    involved = obj.get("involvedObject") or obj.get("regarding") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or first
    series = obj.get("series") or {}
    count = series.get("count") or obj.get("count") or obj.get("deprecatedCount") or 1
    if series.get("lastObservedTime"):
        last = series["lastObservedTime"]
    seen = c.since(last, now)
    if count > 1:
        seen = f"{seen} (x{count} over {c.since(first, now)})"
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    return [
        seen,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{involved.get('kind', '').lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        _source(source, obj),
        (obj.get("message") or obj.get("note") or "").strip(),
        c.since(first, now),
        count,
        _name(obj),
    ]


def _source(source: dict[str, str], obj: Object) -> str:
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return ", ".join(part for part in (component, host) if part)


_TEMPLATE_COLUMNS = (
    wide("Containers", "Names of each container in the template."),
    wide("Images", "Images referenced by each container in the template."),
    wide("Selector", "Label selector for pods."),
)

GENERIC = TableOf((NAME, AGE), _generic)

TABLES: dict[str, TableOf] = {
    "Pod": TableOf(POD_COLUMNS, pod_cells),
    "Service": TableOf(
        (
            NAME,
            Column("Type", description="type determines how the Service is exposed."),
            Column("Cluster-IP", description="clusterIP is the IP address of the service."),
            Column("External-IP", description="Addresses at which nodes or a load balancer accept its traffic."),
            Column("Port(s)", description="The list of ports that are exposed by this service."),
            AGE,
            wide("Selector", "Route service traffic to pods with label keys and values matching this selector."),
        ),
        _service,
    ),
    "Node": TableOf(
        (
            NAME,
            Column("Status", description="The status of the node"),
            Column("Roles", description="The roles of the node"),
            AGE,
            Column("Version", description="Kubelet Version reported by the node."),
            wide("Internal-IP", "List of addresses reachable to the node."),
            wide("External-IP", "List of addresses reachable to the node."),
            wide("OS-Image", "OS Image reported by the node."),
            wide("Kernel-Version", "Kernel Version reported by the node."),
            wide("Container-Runtime", "ContainerRuntime Version reported by the node."),
        ),
        _node,
    ),
    "Deployment": TableOf(
        (
            NAME,
            Column("Ready", description="Number of the pod with ready state"),
            Column("Up-to-date", "integer", description="Number of pods that have the desired template spec."),
            Column("Available", "integer", description="Number of available pods."),
            AGE,
            *_TEMPLATE_COLUMNS,
        ),
        _deployment,
    ),
    "ReplicaSet": TableOf(
        (
            NAME,
            Column("Desired", "integer", description="Number of desired pods."),
            Column("Current", "integer", description="Number of observed pods."),
            Column("Ready", "integer", description="Number of ready pods."),
            AGE,
            *_TEMPLATE_COLUMNS,
        ),
        _replica_set,
    ),
    "Scale": TableOf(
        (
            NAME,
            Column("Desired", "integer", description="Number of desired replicas"),
            Column("Available", "integer", description="Number of actual replicas"),
            AGE,
        ),
        lambda obj, now: [_name(obj), obj["spec"]["replicas"], obj["status"]["replicas"], c.age(obj, now)],
    ),
    "Namespace": TableOf(
        (NAME, Column("Status", description="The status of the namespace"), AGE),
        lambda obj, now: [_name(obj), (obj.get("status") or {}).get("phase", ""), c.age(obj, now)],
    ),
    "ConfigMap": TableOf(
        (NAME, Column("Data", description="Number of entries."), AGE),
        lambda obj, now: [
            _name(obj),
            str(len(obj.get("data") or {}) + len(obj.get("binaryData") or {})),
            c.age(obj, now),
        ],
    ),
    "Secret": TableOf(
        (NAME, Column("Type", description="Kind of the data."), Column("Data", description="Number of entries."), AGE),
        lambda obj, now: [_name(obj), obj.get("type", ""), str(len(obj.get("data") or {})), c.age(obj, now)],
    ),
    "ServiceAccount": TableOf(
        (NAME, Column("Secrets", description="Number of secrets that pods of this account may use."), AGE),
        lambda obj, now: [_name(obj), str(len(obj.get("secrets") or [])), c.age(obj, now)],
    ),
    "Ingress": TableOf(INGRESS_COLUMNS, ingress_cells),
    "IngressClass": TableOf(INGRESS_CLASS_COLUMNS, ingress_class_cells),
    "Endpoints": TableOf((NAME, Column("Endpoints", description="The set of all endpoints."), AGE), _endpoints),
    "EndpointSlice": TableOf(
        (
            NAME,
            Column("AddressType", description="The type of address carried by this EndpointSlice."),
            Column("Ports", description="The ports exposed by each endpoint in this slice."),
            Column("Endpoints", description="The unique endpoints in this slice."),
            AGE,
        ),
        _endpoint_slice,
    ),
    "Event": TableOf(
        (
            Column("Last Seen", description="The time at which the most recent occurrence was recorded."),
            Column("Type", description="Type of this event (Normal, Warning)."),
            Column("Reason", description="Why the action was taken, for machines."),
            Column("Object", description="The object that this event is about."),
            wide("Subobject", "The part of the object that this event is about."),
            wide("Source", "The component reporting this event."),
            Column("Message", description="What happened, for people."),
            wide("First Seen", "The time at which the event was first recorded."),
            wide("Count", "The number of times this event has occurred."),
            wide("Name", "The name of the event."),
        ),
        _event,
    ),
    "CustomResourceDefinition": TableOf(
        (NAME, Column("Created At", "date", description="When it was created.")),
        lambda obj, now: [_name(obj), obj["metadata"]["creationTimestamp"]],
    ),
    "Role": TableOf(ROLE_COLUMNS, role_cells),
    "ClusterRole": TableOf(ROLE_COLUMNS, role_cells),
    "RoleBinding": TableOf(BINDING_COLUMNS, binding_cells),
    "ClusterRoleBinding": TableOf(BINDING_COLUMNS, binding_cells),
    "Lease": TableOf(
        (NAME, Column("Holder", description="The identity of the holder of the lease."), AGE),
        lambda obj, now: [_name(obj), (obj.get("spec") or {}).get("holderIdentity", ""), c.age(obj, now)],
    ),
    **SET_TABLES,
    **POLICY_TABLES,
    **ADDRESS_TABLES,
}
