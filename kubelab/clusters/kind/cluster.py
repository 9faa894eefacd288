"""A cluster on kind. Keeps `kubelab.clusters.base.Cluster`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from kubelab.clusters.base import Capability, ClusterError, Node, ProxyMode, Status
from kubelab.clusters.kind import evidence, ingress, outside, proxy_mode, record
from kubelab.clusters.kind.access import Access
from kubelab.clusters.kind.configuration import DOORS
from kubelab.clusters.kind.containers import Engine, find_engine
from kubelab.clusters.kind.image import Say
from kubelab.clusters.kind.making import INGRESS, OUTSIDE, Maker
from kubelab.clusters.kind.nodes import KindNode, tools_of
from kubelab.clusters.kind.record import Record, containers
from kubelab.engine import reset
from kubelab.engine.client import Client
from kubelab.engine.ingress.manifests import IMAGE as OWN_IMAGE
from kubelab.engine.state import StateError, state_of

ANSWER_SECONDS = 10.0
RESET_SECONDS = 180.0
SYSTEM_NAMESPACES = reset.SYSTEM_NAMESPACES | {"local-path-storage"}
"""kind's default StorageClass lives in the last."""


class KindCluster:
    """One cluster on kind, by name: kind's cluster has the same."""

    provider = "kind"
    namespace = image = host = ingress_class = ""

    def __init__(
        self, name: str, *, proxy_mode: ProxyMode = "iptables", say: Say = lambda _: None, retry: bool = False
    ) -> None:
        """``proxy_mode`` is for a cluster that has to be made; ``say`` is told what takes a while.

        With ``retry``, `up` tries again what could not be brought up before, which may take minutes.
        """
        self.name = name
        with _as_cluster_error():
            self.state = state_of(name)
        self._mode = proxy_mode
        self._say = say
        self._retry = retry
        self._access = Access(self.state)

    def __repr__(self) -> str:
        return f"KindCluster({self.name})"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig's path; the file is there while the cluster is up. The user's own is never touched."""
        return self.state.kubeconfig

    @property
    def log(self) -> Path:
        """What kind and the engine said, word for word."""
        return self.state.root / evidence.KIND_LOG

    @cached_property
    def engine(self) -> Engine:
        """The container engine. Raises `ClusterError`."""
        known = record.read(self.state)
        return find_engine(known.engine if known else None)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the running cluster can do, asked of it. Raises `ClusterError` when it does not run."""
        can: set[Capability] = {"node shell", "several namespaces"}
        if len(self._kind_nodes()) > 1:
            can.add("several nodes")
        if "iptables-save" in self._tools:
            can.add("kernel rules")
        if "conntrack" in self._tools:
            can.add("conntrack")
        if {"curl", "crictl"} <= self._tools:
            can.add("switch proxy mode")
        if outside.is_running(self.engine, self.name):
            can.add("outside client")
        if self._access.ask(ingress.is_available, timeout_seconds=ANSWER_SECONDS, doing="Asking for the ingress"):
            can |= {"ingress", "gateway api"}
        return frozenset(can)

    def nodes(self) -> list[Node]:
        """The three nodes."""
        return list(self._kind_nodes())

    @property
    def outside(self) -> KindNode:
        """The container beside the nodes. Raises `ClusterError` when there is none, with the reason."""
        if not outside.is_running(self.engine, self.name):
            known = record.read(self.state)
            why = known.lacks.get(OUTSIDE, "its container has ended") if known else "there is no cluster"
            raise ClusterError(f"This cluster has no client outside ({why}); `kubelab up` tries again to start it.")
        return KindNode(self.engine, "outside", outside.container_of(self.name))

    def places(self) -> list[KindNode]:
        """The nodes, and last the outside where there is one."""
        has_outside = outside.is_running(self.engine, self.name)
        return [*self._kind_nodes(), *([self.outside] if has_outside else [])]

    def client_for(self, address: str) -> Node | None:
        """The client outside."""
        return self.outside

    @property
    def loopback(self) -> dict[int, int]:
        """See `Cluster.loopback`: the mapped ports of the control plane's container."""
        self._running()
        said = self.engine.inspect(f"{self.name}-control-plane", "{{json .NetworkSettings.Ports}}")
        mapped = json.loads(said or "{}") or {}
        found = ((port, mapped.get(f"{inner}/tcp") or ()) for port, inner in DOORS.items())
        return {port: int(places[0]["HostPort"]) for port, places in found if places}

    def up(self) -> None:
        """Create, or re-attach to what is there; returns when all nodes are Ready.

        A new cluster gets the outside and the ingress too, or it is recorded why not.
        """
        with _as_cluster_error(), self.state.changing():
            known = record.read(self.state)
            try:
                self._bring_up(known)
            except BaseException:
                if record.read(self.state) is None:
                    self.state.clean()
                raise

    def down(self) -> None:
        """Delete the cluster and all that belongs to it; quiet when there is none."""
        if not self.state.root.exists():
            return
        with _as_cluster_error(), self.state.changing():
            known = record.read(self.state)
            if known is not None:
                self._maker.delete(known)
            self.state.clean()

    def reset(self) -> None:
        """Back to an empty cluster; what the learner made is deleted, what is missing of the ingress is put back."""
        self._running()
        known = record.read(self.state)

        async def emptied(client: Client) -> None:
            await reset.empty(client, SYSTEM_NAMESPACES)
            if known and INGRESS not in known.lacks:
                await ingress.install(client)

        self._access.ask(emptied, timeout_seconds=RESET_SECONDS, doing="Emptying the cluster")

    @property
    def proxy_mode(self) -> ProxyMode:
        """See `Cluster.proxy_mode`."""
        return proxy_mode.one_mode(self.proxy_modes())

    def proxy_modes(self) -> dict[str, str]:
        """Node → what its kube-proxy says it serves by; empty where it says nothing. Raises `ClusterError`."""
        return proxy_mode.modes(self._kind_nodes())

    def proxy_mode_details(self) -> dict[str, str]:
        """Nothing stands in for anything here: the nodes' kernel has a mode, or it has not."""
        return {}

    def set_proxy_mode(self, mode: ProxyMode) -> None:
        """See `Cluster.set_proxy_mode`. Connections over IPVS end when that is left."""
        with _as_cluster_error(), self.state.changing():
            proxy_mode.switch(self._access, self._kind_nodes(), mode)

    def logs(self, folder: Path) -> None:
        """Write the logs of nodes and pods below a folder. Raises `ClusterError`."""
        self._running()
        evidence.export(self._maker.kind, self.name, folder)

    def status(self) -> Status:
        """How it is, asked now."""
        known = record.read(self.state)
        if known is None:
            return Status(False, f"There is no cluster {self.name!r}; `{self._up_command} --on kind` makes one.")
        try:
            found = containers(self.engine, self.name)
        except ClusterError as error:
            return Status(False, str(error))
        if not known.control_plane:
            return Status(False, f"Cluster {self.name!r} was never finished; `{self._up_command}` makes it anew.")
        if not known.stands_for(self.engine, self.name):
            return Status(False, f"The nodes of {self.name!r} are gone; `kubelab down` forgets it, then make it anew.")
        if stopped := [each.name for each in found if not each.running]:
            return Status(False, f"{', '.join(stopped)} of {self.name!r} is stopped; `{self._up_command}` starts it.")
        try:
            version = self._access.ask(_version, timeout_seconds=ANSWER_SECONDS, doing="Asking the API server")
        except ClusterError as error:
            return Status(False, f"{str(error).partition('; `kubelab')[0]}; `{self._up_command}` mends what it can.")
        lacks = "".join(f"; without {what}: {why}" for what, why in known.lacks.items())
        return Status(True, f"Kubernetes {version} on kind, {len(found)} nodes in {self.engine.title}{lacks}")

    def _bring_up(self, known: Record | None) -> None:
        there = containers(self.engine, self.name)
        if there and not (known and known.stands_for(self.engine, self.name)):
            raise ClusterError(
                f"There is a kind cluster called {self.name!r} already that kubelab did not make, and will not touch: "
                "`kubelab up --on kind --name another` makes one beside it."
            )
        if there and known and known.control_plane:
            self._maker.start_stopped()
            self._maker.mend(known, retry=self._retry)
            return
        self._maker.examine()
        if known is not None:
            self._maker.delete(known)  # half-made, or lost its nodes
        self._maker.create(self._mode)

    @cached_property
    def _maker(self) -> Maker:
        return Maker(self.name, self.state, self.engine, self.log, self._access, self._say)

    def _kind_nodes(self) -> list[KindNode]:
        self._running()
        return [KindNode(self.engine, each.name, each.name, OWN_IMAGE) for each in containers(self.engine, self.name)]

    @cached_property
    def _tools(self) -> frozenset[str]:
        return tools_of(self._kind_nodes()[-1], ("iptables-save", "nft", "conntrack", "curl", "crictl"))

    def _running(self) -> None:
        """Raises `ClusterError` when the cluster is not there or not ours."""
        known = record.read(self.state)
        if known is None or not known.stands_for(self.engine, self.name):
            raise ClusterError(self.status().detail)

    @property
    def _up_command(self) -> str:
        return "kubelab up" if self.name == "kubelab" else f"kubelab up --name {self.name}"


async def _version(client: Client) -> str:
    return str((await client.send("GET", "/version"))["gitVersion"])


@contextmanager
def _as_cluster_error() -> Iterator[None]:
    try:
        yield
    except StateError as error:
        raise ClusterError(str(error)) from error
