"""What is there before anybody writes: the namespaces and the ``kubernetes`` Service that leads to this server."""

from __future__ import annotations

from collections.abc import Iterator

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.addresses import THE_ONE
from kubelab.engine.apiserver.kinds.policies import SYSTEM_PRIORITIES
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.config import API_PORT, KUBERNETES_SERVICE_IP, SERVICE_CIDR, nodes

_DESCRIPTIONS = {
    "system-cluster-critical": "For pods that a cluster cannot do without, on whichever node they run.",
    "system-node-critical": "For pods that their node cannot do without.",
}
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def objects() -> Iterator[tuple[ResourceType, Object]]:
    """Each object with its resource, in the order in which they can be created."""
    for name in NAMESPACES:
        yield r.NAMESPACES, {"metadata": {"name": name}}
    for name, value in SYSTEM_PRIORITIES.items():
        yield r.PRIORITYCLASSES, {"metadata": {"name": name}, "value": value, "description": _DESCRIPTIONS[name]}
    yield r.SERVICECIDRS, {"metadata": {"name": THE_ONE}, "spec": {"cidrs": [str(SERVICE_CIDR)]}}
    meta = {"name": "kubernetes", "namespace": "default"}
    component = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": API_PORT}
    yield (
        r.SERVICES,
        {
            "metadata": {**meta, "labels": dict(component)},
            "spec": {
                "clusterIP": KUBERNETES_SERVICE_IP,
                "ports": [port],
                "type": "ClusterIP",
                "sessionAffinity": "None",
            },
        },
    )
    address = next(node.ip for node in nodes() if node.control_plane)
    there = {"name": "https", "port": API_PORT, "protocol": "TCP"}
    yield (
        r.ENDPOINTS,
        {
            "metadata": {**meta, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": address}], "ports": [there]}],
        },
    )
    yield (
        r.ENDPOINTSLICES,
        {
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": "kubernetes"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [there],
        },
    )
