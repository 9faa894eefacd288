"""Whose a pod is that has answered: its alias, its Deployment, the Services that lead to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.endpoints import SERVICE_NAME
from kubelab.lab.pods import workload
from kubelab.lab.survey import everywhere

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab


class Answerer(NamedTuple):
    """A pod, in the lab's words."""

    pod: str
    workload: str
    services: tuple[str, ...]


def answerers(lab: Lab, uids: Iterable[str]) -> Mapping[str, Answerer]:
    """The pods with these UIDs, those of other namespaces too. One that is gone is not among them."""
    wanted = set(uids)
    if not wanted:
        return {}
    pods = everywhere(lab, kinds.POD)
    services = _services(lab)
    found: dict[str, Answerer] = {}
    for namespace in sorted({pod["metadata"]["namespace"] for pod in pods if pod["metadata"]["uid"] in wanted}):
        its = [pod for pod in pods if pod["metadata"]["namespace"] == namespace]
        by_uid = {pod["metadata"]["uid"]: pod for pod in its}
        for pod in lab.aliases.view(its):
            if pod.uid in wanted:
                found[pod.uid] = _answerer(pod.alias, by_uid[pod.uid], namespace, lab.namespace, services)
    return found


def _answerer(
    alias: str, pod: Object, namespace: str, near: str, services: Mapping[tuple[str, str], set[str]]
) -> Answerer:
    where = "" if namespace == near else f"{namespace}/"
    owner = workload(pod) or ""
    names = services.get((namespace, pod["metadata"]["name"]), set())
    return Answerer(where + alias, where + owner if owner else "", tuple(where + name for name in sorted(names)))


def _services(lab: Lab) -> dict[tuple[str, str], set[str]]:
    """Namespace and pod → the Services in whose EndpointSlices it stands."""
    found: dict[tuple[str, str], set[str]] = {}
    for piece in everywhere(lab, kinds.ENDPOINTSLICE):
        metadata = piece["metadata"]
        service = (metadata.get("labels") or {}).get(SERVICE_NAME)
        for endpoint in piece.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            if service and target.get("kind") == "Pod":
                found.setdefault((metadata["namespace"], target["name"]), set()).add(service)
    return found
