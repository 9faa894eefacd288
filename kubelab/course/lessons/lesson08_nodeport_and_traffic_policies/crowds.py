"""Pods where the lesson wants them: several on one worker, one on another, none on the control plane."""

from __future__ import annotations

from kubelab.course import files
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.survey import seen_nodes

PACKAGE = "lesson08_nodeport_and_traffic_policies"
CROWD, LONE = "pair", "single"
START_SECONDS = 180


def place(lab: Lab, app: str = "web", crowd: int = 2, container_port: int = 8080, crowd_name: str = CROWD) -> None:
    """Start ``crowd`` pods of an app on the first worker and one on the second, and wait until they are ready."""
    lab.apply(files.manifest(PACKAGE, "server"))
    named = {crowd_name: crowd, LONE: 1}
    for (name, replicas), node in zip(named.items(), _workers(lab), strict=False):
        values = {"deployment": name, "replicas": replicas, "node": node, "app": app}
        lab.apply(files.manifest(PACKAGE, "crowd", container_port=container_port, **values))
    for name in named:
        lab.wait(f"deployment/{name}", "available", timeout=START_SECONDS)


def _workers(lab: Lab) -> list[str]:
    names = sorted(node["metadata"]["name"] for node in seen_nodes(lab) if not node["spec"].get("taints"))
    if len(names) < 2:
        raise LabError("This lesson needs two nodes that take pods; `kubelab up` starts a cluster that has them.")
    return names
