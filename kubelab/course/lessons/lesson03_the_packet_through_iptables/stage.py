"""Who stands where: pods on nodes that are chosen, so that every learner's packet has the same way to go."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course import files
from kubelab.course.lessons.lesson03_the_packet_through_iptables import nat_rules
from kubelab.lab.lab import Lab

PACKAGE = "lesson03_the_packet_through_iptables"
START_SECONDS = 120
CLIENT = "client"
PORT = 8080


def workers(lab: Lab) -> tuple[str, str]:
    """The client's node and another one; the same twice where there is only one."""
    names = [node.name for node in lab.cluster.nodes()]
    return (names[-2], names[-1]) if len(names) > 1 else (names[0], names[0])


def set_up(lab: Lab, service: str = "web") -> None:
    """A client, and a Service with three pods: two on another node than the client, the third on the client's own."""
    here, there = workers(lab)
    lab.apply(files.manifest(PACKAGE, "server"))
    apply_pods(lab, service, PORT, {f"{service}-1": there, f"{service}-2": there, f"{service}-3": here})
    apply_client(lab, here)
    apply_service(lab, service, 80, PORT)
    settle(lab, {service: 3})


def apply_pods(lab: Lab, app: str, port: int, pods: Mapping[str, str]) -> None:
    """Pods of an app: name → node."""
    for pod, node in pods.items():
        lab.apply(files.manifest(PACKAGE, "pod", pod=pod, app=app, node=node, port=port))


def apply_client(lab: Lab, node: str) -> None:
    """The pod that asks."""
    apply_pods(lab, CLIENT, PORT, {CLIENT: node})


def apply_service(lab: Lab, service: str, port: int, target: int) -> None:
    """A ClusterIP Service for the app of the same name."""
    lab.apply(files.manifest(PACKAGE, "service", service=service, app=service, port=port, target=target))


def settle(lab: Lab, services: Mapping[str, int]) -> None:
    """Wait until the pods serve and every node has the rules: Service → how many endpoints."""
    lab.wait(f"pod/{CLIENT}", "ready", timeout=START_SECONDS)
    nodes = [node.name for node in lab.cluster.nodes()]
    for service, endpoints in services.items():
        lab.wait(f"app={service}", "ready", timeout=START_SECONDS)
        nat_rules.wait_until_known(lab, service, nodes, endpoints)
