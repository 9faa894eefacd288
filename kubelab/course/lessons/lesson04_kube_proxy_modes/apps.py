"""The start of both tasks: servers under the learner's own name, in mode iptables."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course import files
from kubelab.lab.lab import Lab

PACKAGE = "lesson04_kube_proxy_modes"


def start(lab: Lab, own: Mapping[str, object], pods: int) -> None:
    """All nodes serve by iptables, and the servers are ready."""
    lab.switch_proxy_mode("iptables")
    lab.apply(files.manifest(PACKAGE, "server"))
    deployment = files.manifest(PACKAGE, "pods", **own)
    deployment[0]["spec"]["replicas"] = pods
    lab.apply(deployment)
    lab.wait(f"deployment/{own['app']}", "available", timeout=180)
