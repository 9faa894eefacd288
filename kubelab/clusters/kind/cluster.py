"""A cluster on kind. Keeps `kubelab.clusters.base.Cluster`."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from kubelab.clusters.base import Capability, ClusterError, Node, ProxyMode, Status
from kubelab.clusters.kind import evidence, image, ingress, outside, proxy_mode, record
from kubelab.clusters.kind.access import Access
from kubelab.clusters.kind.configuration import DOORS, NODE_IMAGE, configuration, free_ports
from kubelab.clusters.kind.containers import LABEL, ROLE_LABEL, Container, Engine, find_engine
from kubelab.clusters.kind.nodes import KindNode, tools_of
from kubelab.clusters.kind.preflight import examine, refusal, warnings
from kubelab.clusters.kind.program import Kind, find_kind
from kubelab.clusters.kind.record import Record
from kubelab.engine import reset
from kubelab.engine.client import Client, Object
from kubelab.engine.client.resources import NODES
from kubelab.engine.ingress.manifests import IMAGE as OWN_IMAGE
from kubelab.engine.state import StateError, state_of

NODES_READY_SECONDS = 120.0
START_SECONDS = 60.0
ANSWER_SECONDS = 5.0
RESET_SECONDS = 180.0
PAUSE_SECONDS = 0.3
SYSTEM_NAMESPACES = reset.SYSTEM_NAMESPACES | {"local-path-storage"}
"""kind's default StorageClass lives in the last."""
ARCHIVE = "images.tar"
OUTSIDE, INGRESS = "the outside", "ingress"


class KindCluster:
    """One cluster on kind, by name: kind's cluster has the same."""

    provider = "kind"

    def __init__(self, name: str, *, proxy_mode: ProxyMode = "iptables", say: Callable[[str], None] | None = None):
        """``proxy_mode`` is for a cluster that has to be made; ``say`` is told what takes a while."""
        self.name = name
        with _as_cluster_error():
            self.state = state_of(name)
        self._mode = proxy_mode
        self._say = say or (lambda _: None)
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
        can: set[Capability] = {"node shell"}
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
            can.add("ingress")
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

        What is missing besides (images, the outside, ingress) is brought up too, or recorded with its reason.
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
                self._delete(known)
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
        evidence.export(self._kind, self.name, folder)

    def status(self) -> Status:
        """How it is, asked now."""
        known = record.read(self.state)
        if known is None:
            return Status(False, f"There is no cluster {self.name!r}; `{self._up_command} --on kind` makes one.")
        try:
            found = self._containers()
        except ClusterError as error:
            return Status(False, str(error))
        if not known.control_plane:
            return Status(False, f"Cluster {self.name!r} was never finished; `{self._up_command}` makes it anew.")
        if not self._is_ours(known):
            return Status(False, f"The nodes of {self.name!r} are gone; `kubelab down` forgets it, then make it anew.")
        if stopped := [each.name for each in found if not each.running]:
            return Status(False, f"{', '.join(stopped)} of {self.name!r} is stopped; `{self._up_command}` starts it.")
        try:
            version = self._access.ask(_version, timeout_seconds=ANSWER_SECONDS, doing="Asking the API server")
        except ClusterError as error:
            return Status(False, f"{str(error).partition('; `kubelab')[0]}; `{self._up_command}` mends what it can.")
        lacks = "".join(f"; without {what}: {why}" for what, why in known.lacks.items())
        return Status(True, f"Kubernetes {version} on kind, {len(found)} nodes in {self.engine.title}{lacks}")

    # How `up` comes about

    def _bring_up(self, known: Record | None) -> None:
        there = self._containers()
        if there and not (known and self._is_ours(known)):
            raise ClusterError(
                f"There is a kind cluster called {self.name!r} already that kubelab did not make, and will not touch: "
                "`kubelab up --on kind --name another` makes one beside it."
            )
        if there and known and known.control_plane:
            self._start_stopped(there)
            if known.lacks or not outside.is_running(self.engine, self.name):
                self._complete(known, self._prepared())
            return
        kind = self._kind
        self._examine()
        if known is not None:
            self._delete(known)  # half-made, or lost its nodes
        self.state.create()
        self._complete(*self._create(kind))

    def _examine(self) -> None:
        self._say("looking at the machine")
        findings = examine(self.engine)
        if sentence := refusal(findings):
            raise ClusterError(sentence)
        for warning in warnings(findings):
            self._say(warning)

    def _create(self, kind: Kind) -> tuple[Record, str]:
        """A new cluster, and why its images could not be had (empty when they could)."""
        fresh = Record(self.engine.name, ports=free_ports())
        fresh.write(self.state)
        config = self.state.root / "kind-config.json"
        self.state.write(config, json.dumps(configuration(self.name, self._mode, fresh.ports), indent=2))
        prepared = _beside(self._prepared)
        try:
            self._say(f"getting the node image {NODE_IMAGE.partition('@')[0]} (a gigabyte, the first time)")
            image.pull_node_image(self.engine, self.log)
            self._say("kind creates three nodes (half a minute or more)")
            kind.create(self.name, config, self.state.kubeconfig)
            self._await_nodes()
        except ClusterError as error:
            raise self._failed(kind, fresh, error) from error
        except BaseException:
            self._delete(fresh)
            self.state.clean()
            raise
        fresh.control_plane = self._control_plane()
        fresh.lacks = dict.fromkeys((OUTSIDE, INGRESS), "its start was interrupted")
        fresh.write(self.state)
        self._say("getting the lessons' images, building kubelab's own (minutes, the first time)")
        return fresh, prepared.result()

    def _failed(self, kind: Kind, fresh: Record, error: ClusterError) -> ClusterError:
        self._say("saving the logs of what failed")
        folder = evidence.keep(kind, self.name)
        self._delete(fresh)
        self.state.clean()
        sentence = str(error).replace(str(self.log), str(folder / evidence.KIND_LOG)).rstrip(".")
        return ClusterError(
            f"{sentence}. Logs are kept in {folder}; `kubelab doctor --on kind` says what the machine lacks."
        )

    def _start_stopped(self, containers: Sequence[Container]) -> None:
        for each in containers:
            if not each.running:
                self._say(f"starting {each.name} again")
                doing = f"Starting {each.name}"
                self.engine.must("start", each.name, doing=doing, timeout_seconds=START_SECONDS, log=self.log)
        self._await_nodes()

    def _prepared(self) -> str:
        """Have all images on the machine; why not, when that fails."""
        try:
            image.prepare(self.engine, self.state.root / ARCHIVE, self.log)
        except ClusterError as error:
            return str(error).rstrip(".")
        return ""

    def _complete(self, known: Record, failure: str) -> None:
        """What lessons need besides nodes. A cluster without it is still a cluster: the reason is kept."""
        known.lacks = {}
        for what, bring_up in ((OUTSIDE, self._start_outside), (INGRESS, self._bring_up_ingress)):
            self._say(f"bringing up {what}")
            try:
                if failure:
                    raise ClusterError(failure)
                bring_up()
            except ClusterError as error:
                known.lacks[what] = str(error).rstrip(".")
        known.write(self.state)

    def _start_outside(self) -> None:
        outside.start(self.engine, self.name, self._access)

    def _bring_up_ingress(self) -> None:
        image.load(self._kind, self.name, self.state.root / ARCHIVE, self._say)
        doing = "Bringing up the ingress controller"
        self._access.ask(ingress.install, timeout_seconds=ingress.READY_SECONDS, doing=doing)

    def _await_nodes(self) -> None:
        self._access.ask(_nodes_ready, timeout_seconds=NODES_READY_SECONDS, doing="Waiting for the nodes")

    # Whose containers they are

    @cached_property
    def _kind(self) -> Kind:
        return find_kind(self.engine, self.log)

    def _containers(self) -> list[Container]:
        """The nodes of the cluster of this name, whoever made it."""
        return self.engine.containers(**{LABEL: self.name})

    def _control_plane(self) -> str:
        found = self.engine.containers(**{LABEL: self.name, ROLE_LABEL: "control-plane"})
        return found[0].id if found else ""

    def _is_ours(self, known: Record) -> bool:
        """By its container's id; one that was never finished, by the ports that were drawn for it."""
        if known.control_plane:
            return self._control_plane() == known.control_plane
        said = self.engine.inspect(f"{self.name}-control-plane", "{{json .HostConfig.PortBindings}}")
        return bool(known.ports) and all(f'"{port}"' in said for port in known.ports.values())

    def _delete(self, known: Record) -> None:
        for each in self.engine.containers(**{outside.LABEL: self.name}):
            self.engine.remove(each.name)
        if self._containers() and self._is_ours(known):
            self._kind.delete(self.name, self.state.kubeconfig)

    def _kind_nodes(self) -> list[KindNode]:
        self._running()
        return [KindNode(self.engine, each.name, each.name, OWN_IMAGE) for each in self._containers()]

    @cached_property
    def _tools(self) -> frozenset[str]:
        return tools_of(self._kind_nodes()[-1], ("iptables-save", "nft", "conntrack", "curl", "crictl"))

    def _running(self) -> None:
        """Raises `ClusterError` when the cluster is not there or not ours."""
        known = record.read(self.state)
        if known is None or not self._is_ours(known):
            raise ClusterError(self.status().detail)

    @property
    def _up_command(self) -> str:
        return "kubelab up" if self.name == "kubelab" else f"kubelab up --name {self.name}"


async def _version(client: Client) -> str:
    return str((await client.send("GET", "/version"))["gitVersion"])


async def _nodes_ready(client: Client) -> None:
    found: list[Object] = []
    while not found or not all(map(_is_ready, found)):
        await asyncio.sleep(PAUSE_SECONDS if found else 0)
        found = (await client.list(NODES))["items"]


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _beside(work: Callable[[], str]) -> Future[str]:
    """Do it in a thread that nobody has to wait for: an interrupted `up` ends at once."""
    done: Future[str] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except BaseException as failure:
            done.set_exception(failure)

    threading.Thread(target=do, name="kubelab-kind-images", daemon=True).start()
    return done


@contextmanager
def _as_cluster_error() -> Iterator[None]:
    try:
        yield
    except StateError as error:
        raise ClusterError(str(error)) from error
