"""What the clients of a Service get, in one of a few words, and what the wiring behind it says about the reason."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kubelab.lab.api import Object
from kubelab.lab.endpoints import Endpoint, Endpoints
from kubelab.lab.errors import NotFound
from kubelab.lab.lab import Lab
from kubelab.lab.traffic import Traffic, join

ANSWERED = "answered"
STRANGERS = "some answered by a stranger"
SOME_REFUSED = "some refused"
REFUSED = "refused"
TIMEOUT = "timeout"
NO_NAME = "no such name"
SEEN = (ANSWERED, STRANGERS, SOME_REFUSED, REFUSED, TIMEOUT, NO_NAME)
"""What a client may see."""

FIRST, MORE = 1, 40
"""Requests that are sent first, and those that follow when a pod was reached. One stranger among three pods stays
unseen in 41 requests once in ten million times."""
PATIENCE_SECONDS = 2.5
"""How long a request may take. A node that rejects answers with an ICMP message, and Linux holds those back when there
are too many (icmp(7), icmp_ratelimit); TCP asks again after one second and is then refused in time."""


def ask(lab: Lab, target: str) -> Traffic:
    """A first request, and many more when pods answer, be it with a refusal: the next pod may see it differently."""
    first = lab.probe(target, n=FIRST, timeout=PATIENCE_SECONDS)
    refused_by_a_pod = "refused" in first.errors and _has_endpoints(lab, target.partition(":")[0])
    if not first.success and not refused_by_a_pod:
        return first
    return join([first, lab.probe(target, n=MORE, timeout=PATIENCE_SECONDS)])


def ask_until_settled(lab: Lab, target: str, own: frozenset[str], seconds: float) -> Traffic:
    """Ask again until all is well or the time is up: rules follow a Service on each node, in a moment."""
    deadline = time.monotonic() + seconds
    while True:
        traffic = ask(lab, target)
        if seen(traffic, own) == ANSWERED or time.monotonic() >= deadline:
            return traffic


def seen(traffic: Traffic, own: frozenset[str]) -> str:
    """One of `SEEN`; ``own`` are the UIDs of the pods that should answer."""
    if traffic.success == 0:
        failures = {"refused": REFUSED, "timeout": TIMEOUT, "DNS": NO_NAME}
        return " and ".join(failures.get(kind, kind) for kind in traffic.errors)
    if any(answer.ok and answer.uid not in own for answer in traffic.answers):
        return STRANGERS
    return ANSWERED if traffic.success == 1 else f"some {' and '.join(traffic.errors)}"


def own_pods(lab: Lab, app: str) -> frozenset[str]:
    """The UIDs of an app's pods."""
    return frozenset(pod.uid for pod in lab.pods(f"app={app}") if not pod.terminating)


def _has_endpoints(lab: Lab, service: str) -> bool:
    try:
        return bool(lab.endpoints(service).ready)
    except NotFound:
        return False


@dataclass(frozen=True)
class Wiring:
    """A Service beside its slices and the pods that it should reach."""

    service: Object
    endpoints: Endpoints
    listening: dict[str, int]
    """Address → the port number that the pod there declares."""

    def diagnosis(self, found: str) -> str:
        """Why clients see what they see: one sentence that names the link, not the repair."""
        name, ports = self.service["metadata"]["name"], self.service["spec"].get("ports") or [{}]
        if not self.service["spec"].get("selector"):
            return f"{name} has no selector: its endpoints were written by hand, and nobody keeps them up to date."
        if not self.endpoints.all:
            return f"The selector of {name} finds no pod."
        if not self.endpoints.ports:
            return f"{name} asks for a port named {ports[0].get('targetPort')!r}, and no pod behind it has one."
        if found == STRANGERS:
            return f"The selector of {name} finds pods of another app too."
        if self._deaf:
            how_many = "no pod listens" if len(self._deaf) == len(self.endpoints.ready) else "not every pod listens"
            return f"{name} sends its clients to port {ports[0].get('targetPort')}, where {how_many}."
        return f"The pods behind {name} are found, and yet its clients see: {found}."

    @property
    def at_its_ports(self) -> bool:
        """Whether there is a ready endpoint, and each is at the port where its pod listens."""
        return bool(self.endpoints.ready) and not self._deaf

    @property
    def _deaf(self) -> list[Endpoint]:
        """Ready endpoints at a port that their pod does not declare."""
        pieces = [(piece, {port.number for port in piece.ports}) for piece in self.endpoints.slices if piece.ports]
        return [
            endpoint
            for piece, numbers in pieces
            for endpoint in piece.endpoints
            if endpoint.ready and self.listening.get(endpoint.address) not in numbers
        ]


def wiring(lab: Lab, service: str) -> Wiring:
    """What the API says of a Service and the pods here. Raises `ApiError` (404)."""
    return Wiring(lab.get(f"service/{service}"), lab.endpoints(service), {pod.ip: pod.port for pod in lab.pods()})
