"""What a Service says about its endpoints, read by both controllers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelab.engine.client import Informer, Key, Object, key_of
from kubelab.engine.controllers.labels import labels_of, map_selects
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.pods import addresses, is_finished, is_ready

HEADLESS_LABEL = "service.kubernetes.io/headless"


def is_managed(service: Object) -> bool:
    """Whether its endpoints follow from pods: it has a selector and is no mere alias of a DNS name."""
    spec = service.get("spec") or {}
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def is_headless(service: Object) -> bool:
    """Whether it has no address of its own."""
    return service["spec"].get("clusterIP", "None") in ("None", "")


def publishes_unready(service: Object) -> bool:
    """``publishNotReadyAddresses``: every pod with an address counts as ready."""
    return bool(service["spec"].get("publishNotReadyAddresses"))


def can_be_endpoint(pod: Object, *, terminating: bool) -> bool:
    """Whether the pod has an address and something behind it; on its way out only if ``terminating``."""
    return bool(addresses(pod)) and not is_finished(pod) and (terminating or not is_being_deleted(pod))


def resolve_port(service_port: Object, pod: Object) -> int | None:
    """The number of the pod's port that a Service port leads to; None when the pod has no port of that name.

    A name is looked for among the ports of the containers and of the init containers that keep running.
    """
    target = service_port.get("targetPort") or service_port["port"]
    if isinstance(target, int):
        return target
    sidecars = [each for each in pod["spec"].get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in [*pod["spec"]["containers"], *sidecars]:
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == service_port.get("protocol", "TCP"):
                return int(port["containerPort"])
    return None


def hostname_for(service: Object, pod: Object) -> str | None:
    """The pod's name under a Service that it names as its ``subdomain``."""
    spec = pod["spec"]
    is_mine = spec.get("subdomain") == service["metadata"]["name"]
    return spec.get("hostname") if is_mine else None


def target_ref(pod: Object) -> Object:
    """The reference from an endpoint to its pod."""
    meta = pod["metadata"]
    return {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}


def what_matters(pod: Object | None) -> Any:
    """All of a pod that endpoints depend on: as long as it stays equal there is nothing to do."""
    if pod is None:
        return None
    spec, meta = pod["spec"], pod["metadata"]
    return (
        meta["uid"],
        labels_of(pod),
        is_being_deleted(pod),
        is_finished(pod),
        is_ready(pod),
        addresses(pod),
        [spec.get(name) for name in ("nodeName", "hostname", "subdomain")],
    )


def services_of(services: Informer, pods: Iterable[Object | None]) -> set[Key]:
    """The keys of the Services that select one of the pods."""
    return {
        key_of(service)
        for pod in pods
        if pod is not None
        for service in services.all(pod["metadata"]["namespace"])
        if map_selects(service["spec"].get("selector"), labels_of(pod))
    }
