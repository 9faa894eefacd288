"""What a client meets at the edges of a Service, which is not the same in every mode."""

from __future__ import annotations

from kubelab.clusters.base import Node
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab

ANSWERS, REFUSED, TIMEOUT = "answers", "refused", "timeout"
TURNS, LUCK = "in turns", "by luck"
_CURL_REFUSED, _CURL_TIMEOUT = 7, 28


def at_localhost(lab: Lab, node_port: int) -> str:
    """What ``curl 127.0.0.1:nodePort`` gets on a worker: ``answers``, ``refused`` or ``timeout``. Raises `LabError`."""
    done = worker(lab).run(["curl", "-s", "-o", "/dev/null", "-m", "2", f"http://127.0.0.1:{node_port}/"])
    words = {0: ANSWERS, _CURL_REFUSED: REFUSED, _CURL_TIMEOUT: TIMEOUT}
    if done.code not in words:
        raise LabError(f"curl on the node ended with code {done.code}; install it if it is missing (127).")
    return words[done.code]


def at_unused_port(lab: Lab, service: str, port: int) -> str:
    """What a pod gets at a port of a Service's ClusterIP that the Service does not have."""
    ip = lab.get(f"service/{service}")["spec"]["clusterIP"]
    traffic = lab.probe(f"{ip}:{port}", n=1, timeout=1)
    return ANSWERS if traffic.success else next(iter(traffic.errors))


def picks(lab: Lab, service: str, pods: int = 3) -> str:
    """Whether 30 connections, one after the other, take turns over so many pods, or go by luck."""
    order = [answer.pod for answer in lab.probe(service, n=30).answers if answer.ok]
    rounds = [order[begin : begin + pods] for begin in range(0, len(order) - pods + 1, pods)]
    return TURNS if rounds and all(len(set(each)) == pods for each in rounds) else LUCK


def leftovers(lab: Lab) -> str:
    """What the nodes hold of each mode now, counted over all nodes."""
    nodes = lab.cluster.nodes()
    chains = sum(_count(node, ["iptables-save"], ":KUBE-S") for node in nodes)
    tables = sum(_count(node, ["nft", "list", "tables"], "table ip kube-proxy") for node in nodes)
    return f"{'some' if chains else 'no'} KUBE-SVC chains, table ip kube-proxy on {tables} of {len(nodes)} nodes"


def worker(lab: Lab) -> Node:
    """The first node that pods are put on."""
    return lab.cluster.nodes()[1]


def _count(node: Node, argv: list[str], begin: str) -> int:
    done = node.run(argv)
    if done.code == 127:
        raise LabError(f"The program {argv[0]} is not installed, so the rules cannot be looked at.")
    return sum(line.startswith(begin) for line in done.stdout.splitlines())
