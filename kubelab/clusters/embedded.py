"""The embedded cluster: an engine in its own session, which outlives the kernel or shell that started it.

Any number of clients start, find and stop the same engine; the state directory's lock puts them in a row.
Only the standard library is imported here, because re-attaching must cost nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from kubelab.clusters.base import Capability, ClusterError, Finished, Node, ProxyMode, Status
from kubelab.clusters.conversation import Conversation, EmbeddedConversation
from kubelab.clusters.process import EngineProcess, StartFailed
from kubelab.engine import config
from kubelab.engine.control.client import ControlError, EngineGone, EngineHangs, call
from kubelab.engine.options import IDLE_SECONDS, ControlPlaneKind, Options, Tier
from kubelab.engine.state import StateDir, StateError, state_of

START_SECONDS = 90.0
"""How long a start may take on a slow machine (a Binder session begins with a cold disk)."""
ANSWER_SECONDS = 5.0
"""An engine that does not say how it is for so long hangs, and is replaced."""
RESET_SECONDS = 60.0
BUILT_IN = "built in"
"""What an engine says of its own control plane; one of before there was a choice says nothing."""
SWITCH_SECONDS = 120.0
"""For thousands of Services; for a lesson's few it takes less than a second."""

TIERS: dict[str, str] = {
    "root": "network namespaces, made as root; the kernel holds the rules",
    "user": "network namespaces in a user namespace; the kernel holds the rules",
    "interposed": "loopback addresses, without namespaces; every connection is steered by evaluating the same rules",
}
"""What carries the packets, in words."""


class EmbeddedNode:
    """A node, or the one client outside (its name is ``outside``)."""

    def __init__(self, state: StateDir, name: str, place: str) -> None:
        self.state = state
        self.name = name
        self.place = place

    def __repr__(self) -> str:
        return f"Node({self.name})"

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 30) -> Finished:
        """Run a command in this place's network. Raises `ClusterError` when the engine cannot be asked.

        The code is 127 when there is no such command, 124 when the time was up.
        """
        with _as_cluster_error():
            answer = call(
                self.state,
                "run",
                {"place": self.place, "argv": list(argv), "stdin": stdin, "timeout_seconds": timeout_seconds},
                timeout_seconds=timeout_seconds + ANSWER_SECONDS,
            )
        return Finished(answer["code"], answer["stdout"], answer["stderr"])

    def talk(self, argv: Sequence[str]) -> Conversation:
        """Start a program in this place's network and talk with it. Raises `ClusterError`."""
        with _as_cluster_error():
            return EmbeddedConversation(self.state, self.place, argv)


class EmbeddedCluster:
    """One embedded cluster, by name. Keeps `kubelab.clusters.base.Cluster`."""

    provider = "embedded"
    namespace = image = host = ingress_class = ""

    def __init__(
        self,
        name: str,
        *,
        tier: Tier | None = None,
        api_port: int = 0,
        idle_seconds: float = IDLE_SECONDS,
        control_plane: ControlPlaneKind | None = None,
        engine: Sequence[str] = (sys.executable, "-m", "kubelab.engine"),
    ) -> None:
        """``tier`` and ``api_port`` say how to start it; None and 0 let the engine choose. Raises `ClusterError`."""
        self.name = name
        with _as_cluster_error():
            self.state = state_of(name)
        chosen = tier or cast("Tier | None", os.environ.get("KUBELAB_TIER") or None)
        if chosen is not None and chosen not in TIERS:
            raise ClusterError(f"KUBELAB_TIER is {chosen!r}; it can be {', '.join(TIERS)}, or not set.")
        self._options = Options(name, self.state.root, chosen, api_port, idle_seconds, control_plane)
        self._engine = engine

    def __repr__(self) -> str:
        return f"EmbeddedCluster({self.name})"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig's path; the file is there while the cluster is up."""
        return self.state.kubeconfig

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the running cluster can do. Raises `ClusterError` when it does not run."""
        can: set[Capability] = {"several nodes", "several namespaces", "node shell"}
        can |= {"outside client", "switch proxy mode"}
        facts = self.facts()
        if facts.get("ingress"):
            can |= {"ingress", "gateway api"}
        if facts["tier"] == "interposed":
            can.add("conntrack")  # the agent's own table, which its nodes answer for
        else:
            can.add("kernel rules")
            if shutil.which("conntrack", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
                can.add("conntrack")
        return frozenset(can)

    def nodes(self) -> list[Node]:
        """The three nodes."""
        return [place for place in self.places() if place.name != "outside"]

    @property
    def outside(self) -> Node:
        """The laptop on the street, 172.18.0.1."""
        return self.places()[-1]

    def places(self) -> list[EmbeddedNode]:
        """The nodes, and last the outside."""
        nodes = [EmbeddedNode(self.state, spec.name, f"node/{spec.name}") for spec in config.nodes(self.name)]
        return [*nodes, EmbeddedNode(self.state, "outside", "outside")]

    def client_for(self, address: str) -> Node | None:
        """The client outside."""
        return self.outside

    @property
    def loopback(self) -> dict[int, int]:
        """See `Cluster.loopback`."""
        return {int(port): int(local) for port, local in self.facts().get("loopback", {}).items()}

    def facts(self) -> dict[str, Any]:
        """What the engine says of itself: ready, detail, tier, server, nodes, pid. Raises `ClusterError`."""
        with _as_cluster_error():
            return call(self.state, "status", timeout_seconds=ANSWER_SECONDS)

    def up(self) -> None:
        """Start, or re-attach to what already runs. Returns when nodes are Ready and DNS answers."""
        with _as_cluster_error(), self.state.changing():
            running = self._attached()
            if running is None:
                EngineProcess(self.state).stop()
                self.state.create()
                self._start()
            else:
                self._refuse_another_shape(running)

    def down(self) -> None:
        """Stop the engine and remove its state; quiet when there is none."""
        if not self.state.root.exists():
            return
        with _as_cluster_error(), self.state.changing():
            EngineProcess(self.state).stop()
            self.state.clean()

    def reset(self) -> None:
        """Back to an empty cluster."""
        with _as_cluster_error():
            call(self.state, "reset", timeout_seconds=RESET_SECONDS)

    def cut(self, node: str) -> None:
        """Take the API from a node's agent and kube-proxy, as a partition would; its packets go on.

        The cluster takes such a node for dead after 50 s. `mend`, `reset` and `down` end it. Raises `ClusterError`.
        """
        self._line("cut", node)

    def mend(self, node: str) -> None:
        """End what `cut` began. Raises `ClusterError`."""
        self._line("mend", node)

    def _line(self, op: str, node: str) -> None:
        names = [each.name for each in self.nodes()]
        full = node if node in names else f"{self.name}-{node}"
        if full not in names:
            raise ClusterError(f"There is no node {node!r}; there are {', '.join(names)}.")
        with _as_cluster_error():
            call(self.state, op, {"node": full}, timeout_seconds=ANSWER_SECONDS)

    @property
    def proxy_mode(self) -> ProxyMode:
        """See `Cluster.proxy_mode`."""
        return self._one_mode(self.proxy_modes())

    def proxy_modes(self) -> dict[str, str]:
        """Node → what its kube-proxy says it serves by; empty where it says nothing. Raises `ClusterError`."""
        return self._ask_mode({}, ANSWER_SECONDS)["modes"]

    def proxy_mode_details(self) -> dict[str, str]:
        """Node → what stands in for a part of the mode that its kernel lacks; empty where nothing does."""
        return self._ask_mode({}, ANSWER_SECONDS)["details"]

    def set_proxy_mode(self, mode: ProxyMode) -> None:
        """See `Cluster.set_proxy_mode`. The mode outlives the engine, and `reset`; `down` forgets it."""
        self._one_mode(self._ask_mode({"mode": mode}, SWITCH_SECONDS)["modes"])

    def _ask_mode(self, arguments: dict[str, Any], seconds: float) -> dict[str, dict[str, str]]:
        with _as_cluster_error():
            said: dict[str, dict[str, str]] = call(self.state, "proxy-mode", arguments, timeout_seconds=seconds)
        return said

    def _one_mode(self, modes: dict[str, str]) -> ProxyMode:
        if len(found := set(modes.values())) != 1 or "" in found:
            said = ", ".join(f"{name} says {mode or 'nothing'}" for name, mode in modes.items())
            raise ClusterError(f"The nodes' kube-proxies do not agree on a mode ({said}); try again in a moment.")
        return cast("ProxyMode", found.pop())

    def status(self) -> Status:
        """How it is, asked now."""
        if not self.state.exists():
            return Status(False, f"There is no cluster {self.name!r}; `{self._up_command}` makes one.")
        try:
            facts = call(self.state, "status", timeout_seconds=ANSWER_SECONDS)
        except EngineGone:
            return Status(False, f"The engine of {self.name!r} is not running; `{self._up_command}` starts it again.")
        except EngineHangs:
            return Status(False, f"The engine of {self.name!r} does not answer; `{self._up_command}` restarts it.")
        except ControlError as error:
            return Status(False, str(error))
        plane = facts.get("control_plane", BUILT_IN)
        more = "" if plane == BUILT_IN else f"; its control plane is upstream's ({plane})"
        if cut_off := facts.get("cut_off"):
            more += f"; cut off from the API: {', '.join(cut_off)} (`kubelab mend NODE` ends it)"
        return Status(bool(facts["ready"]), facts["detail"] + more)

    @property
    def _up_command(self) -> str:
        return "kubelab up" if self.name == "kubelab" else f"kubelab up --name {self.name}"

    def _attached(self) -> dict[str, Any] | None:
        """The facts of a healthy engine, waiting for one that is starting; None when there is none."""
        try:
            facts = call(self.state, "status", timeout_seconds=ANSWER_SECONDS)
            if not facts["ready"]:
                facts = call(self.state, "status", {"wait": True}, timeout_seconds=START_SECONDS)
        except (EngineGone, EngineHangs):
            return None
        return facts if self.state.kubeconfig.exists() else None

    def _refuse_another_shape(self, facts: dict[str, Any]) -> None:
        asked, port = self._options, facts["server"].rpartition(":")[2]
        if asked.api_port and str(asked.api_port) != port:
            raise ClusterError(
                f"Cluster {self.name!r} runs already, with its API on port {port}: take it down first to move it."
            )
        has = "built-in" if facts.get("control_plane", BUILT_IN) == BUILT_IN else "upstream"
        if asked.control_plane and asked.control_plane != has:
            raise ClusterError(
                f"Cluster {self.name!r} runs already, with the {has} control plane: take it down first to change that."
            )
        if asked.tier and asked.tier != facts["tier"]:
            raise ClusterError(
                f"Cluster {self.name!r} runs already, on the tier {facts['tier']!r}: take it down first to change that."
            )

    def _start(self) -> None:
        try:
            EngineProcess(self.state).start(self._engine, self._options, timeout_seconds=START_SECONDS)
        except StartFailed as failure:
            raise ClusterError(str(failure)) from failure


@contextmanager
def _as_cluster_error() -> Iterator[None]:
    """The sentences of the parts below are the cluster's own."""
    try:
        yield
    except (StateError, ControlError) as error:
        raise ClusterError(str(error)) from error
