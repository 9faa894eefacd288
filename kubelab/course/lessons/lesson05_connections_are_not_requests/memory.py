"""What the kernel remembers of a connection, on clusters where it can be asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from kubelab.clusters.base import SKIPPED
from kubelab.lab.connections import Connections
from kubelab.lab.errors import TimedOut
from kubelab.lab.lab import Lab
from kubelab.lab.traffic import Answer

REQUESTS = 50
SECONDS = 30.0


@dataclass(frozen=True)
class NoTable:
    """Said where there is no table to look at."""

    sentence: str = (
        f"{SKIPPED}This cluster has no connection table of the kernel. Here the network picks a pod when a "
        "connection is opened, by the same rules, and what is open stays where it is."
    )

    def __repr__(self) -> str:
        return self.sentence


def remembered(lab: Lab, service: str) -> Connections | NoTable:
    """Send fifty requests over one kept connection, and look at the nodes' tables (``conntrack -L``) while it is open.

    Raises `TimedOut` when the requests are not answered.
    """
    if "conntrack" not in lab.cluster.capabilities:
        return NoTable()
    answered, enough = 0, threading.Event()

    def hear(answer: Answer) -> None:
        nonlocal answered
        answered += answer.ok
        if answered >= REQUESTS:
            enough.set()

    client = lab.stream(service, rate=100, connections=1, heard=hear)
    try:
        if not enough.wait(SECONDS):
            raise TimedOut(f"{service} answered {answered} of {REQUESTS} requests in {SECONDS:g} s.")
        return lab.connections(service=service, protocol="tcp").open
    finally:
        client.stop()
