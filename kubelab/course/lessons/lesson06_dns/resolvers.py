"""A pod's /etc/resolv.conf, in words that are the same on every cluster."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.course.tables import Table
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab

CLUSTER_DOMAIN = "cluster.local"


def name_server(lab: Lab, pod: str | None = None) -> str:
    """The address of the name server that a pod asks, the lab's own client when none is named. Raises `LabError`."""
    found = _lines(lab, pod or lab.client_name()).get("nameserver")
    if not found:
        raise LabError("The pod's /etc/resolv.conf names no name server; run lab.reset() and begin again.")
    return found[0]


def resolvers(lab: Lab, pods: Iterable[str]) -> Table:
    """Where each pod's resolver asks, and with which endings it tries a short name."""
    cluster_dns = name_server(lab)
    rows = []
    for pod in pods:
        lines = _lines(lab, pod)
        asks = "the cluster's" if lines.get("nameserver", [""])[0] == cluster_dns else "its node's"
        rows.append(
            (
                pod,
                lab.get(f"pod/{pod}")["spec"].get("dnsPolicy", ""),
                asks,
                _endings(lines.get("search", [])) or "none",
                " ".join(lines.get("options", [])) or "none",
            )
        )
    return Table(("pod", "dnsPolicy", "name server", "search", "options"), tuple(rows))


def _endings(search: list[str]) -> str:
    """Those of the cluster; a node may add its own behind them."""
    ours = [domain for domain in search if domain.endswith(CLUSTER_DOMAIN)]
    return ", ".join([*ours, *(["the node's own"] if len(ours) < len(search) else [])])


def _lines(lab: Lab, pod: str) -> dict[str, list[str]]:
    """First word → the others (resolv.conf(5))."""
    done = lab.exec(pod, ["cat", "/etc/resolv.conf"])
    if done.code != 0:
        raise LabError(f"/etc/resolv.conf of {pod} cannot be read: {done.stderr.strip() or 'the pod is not running'}.")
    return {words[0]: words[1:] for line in done.stdout.splitlines() if (words := line.split())}
