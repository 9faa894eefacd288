"""The same question inside: clients in pods, one on every node, and which pods answer each of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from kubelab.course import files
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies.crowds import PACKAGE, START_SECONDS
from kubelab.lab.entries import homes_of, short
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod
from kubelab.lab.rows import padded, table
from kubelab.lab.survey import seen_nodes
from kubelab.lab.traffic import Traffic, join

GROUP = "callers"
KNOCKS, KNOCKS_AT_NOBODY = 24, 2
"""Requests that show whether a node has heard of the Service as it is now. Of three pods the third stays without any of
24 once in 17,000 times; a node that drops packets costs time for each."""
KNOCK_SECONDS = 0.8
SETTLED_SECONDS = 5.0
HEADS = ("the client is on", "is answered by", "which are")


@dataclass(frozen=True)
class Caller:
    """One client in a pod, and what it got."""

    node: str
    traffic: Traffic
    homes: Mapping[str, str]
    """Pod behind the Service, by alias → its node."""

    @property
    def cells(self) -> tuple[str, str, str]:
        """The row in words, the same on every run."""
        if not self.traffic.pods:
            return self.node, f"nobody: {' and '.join(self.traffic.errors)}", "–"
        near = {self.homes.get(pod) == self.node for pod in self.traffic.pods}
        where = "near" if near == {True} else "far" if near == {False} else "near and far"
        return self.node, ", ".join(self.traffic.pods), where


@dataclass(frozen=True)
class Callers:
    """A client on every node. Shown without counts, which are chance."""

    callers: tuple[Caller, ...]

    def __getitem__(self, node: str) -> Traffic:
        return next(caller.traffic for caller in self.callers if caller.node == node)

    def __repr__(self) -> str:
        return padded([HEADS, *(caller.cells for caller in self.callers)])

    def _repr_html_(self) -> str:
        return table(HEADS, (caller.cells for caller in self.callers))


def ask_inside(lab: Lab, service: str, n: int = 60) -> Callers:
    """Send ``n`` requests to the Service from a pod on every node; two from a node where nobody answers.

    Starts those pods when they are not there, and waits a little for nodes that have not heard yet of a change.
    """
    homes = homes_of(lab, service)
    spec = lab.get(f"service/{service}")["spec"]
    deadline = time.monotonic() + SETTLED_SECONDS
    found = []
    for node, pod in _pods(lab).items():
        expected = _expected(spec, homes, node)
        knock = _knock(lab, service, pod, expected)
        while not _as_expected(knock, expected) and time.monotonic() < deadline:
            knock = _knock(lab, service, pod, expected)
        rest = [lab.probe(service, n=n - KNOCKS, source=pod, timeout=3)] if knock.success else []
        found.append(Caller(node, join([knock, *rest]), homes))
    return Callers(tuple(found))


def _pods(lab: Lab) -> dict[str, Pod]:
    """Node, by its short name → the client there. They are put on their nodes by name: no taint keeps them away."""
    nodes = sorted(node["metadata"]["name"] for node in seen_nodes(lab))
    for node in nodes:
        lab.apply(files.manifest(PACKAGE, "caller", pod=f"on-{short(lab, node)}", node=node, group=GROUP))
    lab.wait(f"app={GROUP}", "ready", timeout=START_SECONDS)
    return {short(lab, node): lab.pod(f"on-{short(lab, node)}") for node in nodes}


def _expected(spec: Mapping[str, object], homes: Mapping[str, str], node: str) -> set[str]:
    """Who may answer there: only to tell a node that has not heard of a change yet."""
    near = {pod for pod, home in homes.items() if home == node}
    if spec.get("internalTrafficPolicy") == "Local":
        return near
    return near if near and spec.get("trafficDistribution") == "PreferSameNode" else set(homes)


def _knock(lab: Lab, service: str, pod: Pod, expected: set[str]) -> Traffic:
    return lab.probe(service, n=KNOCKS if expected else KNOCKS_AT_NOBODY, source=pod, timeout=KNOCK_SECONDS)


def _as_expected(knock: Traffic, expected: set[str]) -> bool:
    return set(knock.pods) == expected and knock.success == bool(expected)
