"""What a lesson can count on, whatever cluster is under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from kubelab.engine.options import ProxyMode as ProxyMode

Capability = Literal[
    "several nodes",
    "several namespaces",
    "node shell",
    "kernel rules",
    "conntrack",
    "switch proxy mode",
    "ingress",
    "gateway api",
    "outside client",
]
"""What a lesson may ask for; it never asks for a provider."""


class Finished(NamedTuple):
    """A command that was run to its end."""

    code: int
    stdout: str
    stderr: str


class Node(Protocol):
    """One node of the cluster."""

    name: str

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 30) -> Finished:
        """Run a command in the node's network: ``iptables-save``, ``conntrack``, ``ip`` …"""
        ...


class Status(NamedTuple):
    """How a cluster is. ``detail`` is one sentence for people."""

    running: bool
    detail: str


class ClusterError(Exception):
    """Something about the cluster went wrong. The message is one sentence and says what to do next."""


SKIPPED = "Skipped: "
"""How every sentence begins that says what a cluster lacks: what follows was not done, and is not to be compared."""


class Lacking(ClusterError):
    """This cluster lacks a capability. The message begins with `SKIPPED`; a notebook shows it without a traceback."""

    def __init__(self, sentence: str) -> None:
        super().__init__(SKIPPED + sentence.removeprefix(SKIPPED))

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Cluster(Protocol):
    """A Kubernetes cluster with the means to look inside."""

    name: str
    provider: str
    """``embedded``, ``kind`` or ``existing``: for people; lessons ask for capabilities."""
    namespace: str
    """The one namespace that may be used, whatever a lesson calls its own; empty where every lesson has one."""
    image: str
    """What stands in for the lessons' image; empty where they run as they are written."""
    host: str
    """Below which the lessons' hosts are, where the ingress controller is others' too; else empty."""
    ingress_class: str
    """What stands in for the lessons' IngressClass, where somebody else's cluster serves them; empty elsewhere."""

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig that works with stock clients."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this cluster can do."""
        ...

    def nodes(self) -> list[Node]:
        """The nodes, sorted by name."""
        ...

    @property
    def outside(self) -> Node:
        """A client that stands outside the cluster (the laptop on the street)."""
        ...

    def client_for(self, address: str) -> Node | None:
        """Who sends requests to where Ingress traffic enters, an address or a name; None: only pods reach it."""
        ...

    @property
    def loopback(self) -> Mapping[int, int]:
        """Where the ingress is reached on this machine: its port (80, 443) → a port of 127.0.0.1; empty: nowhere.

        Raises `ClusterError` when the cluster does not run.
        """
        ...

    def up(self) -> None:
        """Start, or re-attach to what already runs. Raises `ClusterError`."""
        ...

    def down(self) -> None:
        """Stop and leave nothing behind; quiet when nothing runs."""
        ...

    def reset(self) -> None:
        """Back to an empty cluster, in seconds: the learner's namespaces and objects are gone.

        kube-proxy's mode stays: it is how the cluster was set up, not an object in it.
        """
        ...

    @property
    def proxy_mode(self) -> ProxyMode:
        """What all nodes' kube-proxies say they serve by. Raises `ClusterError`, also when they do not agree."""
        ...

    def set_proxy_mode(self, mode: ProxyMode) -> None:
        """Switch every node (capability ``switch proxy mode``). Returns when all serve by the new mode's rules.

        Of the old mode's nothing is left then; connections that are open go on. Raises `ClusterError`: then all nodes
        serve as before.
        """
        ...

    def status(self) -> Status:
        """How it is, asked now."""
        ...
