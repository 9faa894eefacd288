"""NetworkPolicies by traffic: who still reaches whom."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

FROM_TWO = [{"from": [{"podSelector": {"matchLabels": {"pod": "two"}}}]}]


@contextlib.contextmanager
def policy(scene, **spec: Any) -> Iterator[None]:
    """For the pod ``one`` and as long as the block lasts."""
    meta = {"name": "guard", "namespace": "default"}
    whole = {"podSelector": {"matchLabels": {"pod": "one"}}, **spec}
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": whole}
    scene.lab.apply(made)
    try:
        yield
    finally:
        scene.lab.delete("networkpolicy/guard")


def reaches(scene, source: str, target: str) -> set[str]:
    return set(scene.ask(source, target, 1))


def becomes(scene, source: str, target: str, wanted: set[str]) -> None:
    scene.eventually(lambda: reaches(scene, source, target) == wanted)


def test_who_is_not_named_is_kept_out_by_pod_and_by_service(scene) -> None:
    """From another node and from the street; who is not isolated is reached as before."""
    one = scene.ip("one")
    with policy(scene, ingress=FROM_TWO):
        becomes(scene, "three", f"tcp:{one}:8080", {"silence"})
        assert reaches(scene, "outside", f"tcp:{one}:8080") <= {"silence", "no way"}
        becomes(scene, "two", f"tcp:{one}:8080", {"one"})
        becomes(scene, "three", f"tcp:{scene.ip('two')}:9090", {"two"})
    becomes(scene, "three", f"tcp:{one}:8080", {"one"})


def test_the_node_itself_still_reaches_its_pods_as_probes_must(scene) -> None:
    one = scene.ip("one")
    with policy(scene, policyTypes=["Ingress"]):
        becomes(scene, "two", f"tcp:{one}:8080", {"silence"})
        becomes(scene, "worker", f"tcp:{one}:8080", {"one"})


def test_only_the_named_port_is_open(scene) -> None:
    one = scene.ip("one")
    with policy(scene, ingress=[{"ports": [{"port": "serve"}]}]):
        becomes(scene, "two", f"tcp:{one}:7070", {"silence"})
        becomes(scene, "two", f"tcp:{one}:8080", {"one"})


def test_what_a_pod_sends_is_judged_by_the_endpoint_not_by_the_service(scene) -> None:
    to_two = {"to": [{"podSelector": {"matchLabels": {"pod": "two"}}}]}
    with policy(scene, policyTypes=["Egress"], egress=[to_two]):
        becomes(scene, "one", f"tcp:{scene.ip('three')}:8080", {"silence"})
        becomes(scene, "one", f"tcp:{scene.ip('two')}:9090", {"two"})
    becomes(scene, "one", f"tcp:{scene.ip('three')}:8080", {"three"})


def test_datagrams_are_judged_too(scene) -> None:
    one = scene.ip("one")
    with policy(scene, policyTypes=["Ingress"]):
        becomes(scene, "two", f"udp:{one}:8080", {"silence"})
    becomes(scene, "two", f"udp:{one}:8080", {"one"})
