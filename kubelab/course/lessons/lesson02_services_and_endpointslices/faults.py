"""The rows of the matrix: what is wrong with each, and how it comes about in a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kubelab.course import files
from kubelab.lab import kinds, waiting
from kubelab.lab.lab import Lab
from kubelab.lab.survey import everywhere

PACKAGE = "lesson02_services_and_endpointslices"
HEALTHY = "web"
"""The Service that is wired as it should be, and the app behind it."""
LISTENING = 8080
"""The port that every pod of the matrix listens on."""
NEVER_READY, FAR_AWAY = "never-ready", "far-away"
ONLY_LOCAL = "only-local"
SETTLED_SECONDS = 60


class Fault(NamedTuple):
    """One row of the matrix."""

    words: str
    app: str = HEALTHY
    """Whose pods should answer."""
    namespace: str = ""
    """Where the client believes the Service to be; the lab's own namespace when empty."""


FAULTS: Mapping[str, Fault] = {
    HEALTHY: Fault("no fault: selector and port are right"),
    "label-typo": Fault("selector app: wbe; the pods say app: web"),
    "port-name-typo": Fault("targetPort: htpp; the pods call their port http"),
    "wrong-number": Fault("targetPort: 8081; the pods listen on 8080"),
    "not-ready": Fault("the only pod never gets ready", NEVER_READY),
    "localhost-only": Fault("the server listens on 127.0.0.1 only", "shy"),
    "too-broad": Fault("selector team: shop; the pods of admin say so too"),
    "wrong-namespace": Fault("the client asks for a Service in another namespace", namespace="elsewhere"),
    "headless-empty": Fault("clusterIP: None, and no pod is ready", NEVER_READY),
    ONLY_LOCAL: Fault("internalTrafficPolicy: Local; no pod on the client's node", FAR_AWAY),
}
"""By the name of the Service that the client asks for, in the order in which they are shown."""


def another_node(lab: Lab) -> str:
    """The name of a node that the lab's client is not on; empty on a cluster of one node, or of which none is shown."""
    client = lab.find_pod(lab.client_name())
    nodes = [node["metadata"]["name"] for node in everywhere(lab, kinds.named("node"))]
    return next((name for name in reversed(nodes) if client and name != client.node), "")


def set_up(lab: Lab, far: str) -> None:
    """Apply the faults and wait until the whole cluster knows of them; without a ``far`` node all but the last.

    The Service web is made last. Controllers, kube-proxy and name server hear of changes in their order: when web
    answers, they have heard of everything before it.
    """
    needs_far = (FAR_AWAY, ONLY_LOCAL)
    objects = files.manifest(PACKAGE, "faults", far=far)
    lab.delete(f"service/{HEALTHY}")
    lab.apply([each for each in objects if far or each["metadata"]["name"] not in needs_far])
    wait_until_settled(lab)
    lab.apply(files.manifest(PACKAGE, "service", service=HEALTHY, label="app", value=HEALTHY, port=80, target="http"))
    lab.wait(f"service/{HEALTHY}", "answers")


def wait_until_settled(lab: Lab) -> None:
    """Wait until pods and slices say what they are going to say. Raises `TimedOut`."""
    waiting.until(lambda: settled(lab), "The Services are not set up", SETTLED_SECONDS)


def settled(lab: Lab) -> waiting.Seen:
    """Whether every pod is as ready as it will ever be, and the slices say so of every pod that a selector finds."""
    pods = [pod for pod in lab.pods() if not pod.terminating]
    for pod in pods:
        if not pod.ip or not (pod.ready or pod.alias == NEVER_READY):
            return waiting.Seen(False, f"{pod.alias} is not there yet")
    for service in lab.find("services"):
        name, selector = service["metadata"]["name"], service["spec"].get("selector") or {}
        chosen = lab.pods(",".join(f"{key}={value}" for key, value in selector.items()))
        listed = {endpoint.address: endpoint.ready for endpoint in lab.endpoints(name).all if not endpoint.terminating}
        if listed != {pod.ip: pod.ready for pod in chosen if not pod.terminating}:
            return waiting.Seen(False, f"the slices of {name} do not list its pods yet")
    return waiting.Seen(True, "everything is there")
