"""How a cluster on kind comes about, step by step, and how what is missing of it is brought up later."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kubelab.clusters.base import ClusterError, ProxyMode
from kubelab.clusters.kind import evidence, image, ingress, outside
from kubelab.clusters.kind.access import Access
from kubelab.clusters.kind.configuration import NODE_IMAGE, configuration, free_ports
from kubelab.clusters.kind.containers import Engine
from kubelab.clusters.kind.image import Say
from kubelab.clusters.kind.preflight import examine, refusal, warnings
from kubelab.clusters.kind.program import Kind, find_kind
from kubelab.clusters.kind.record import Record, containers, control_plane
from kubelab.engine.client import Client, Object
from kubelab.engine.client.resources import NODES
from kubelab.engine.state import StateDir

NODES_READY_SECONDS = 120.0
START_SECONDS = 60.0
LATE_SECONDS = 1.0
"""An engine finishes what a killed kind has asked it for."""
PAUSE_SECONDS = 0.3
ARCHIVE = "images.tar"
HAS_CONTROL_PLANE = "Installing CNI"
"""kind's step after kubeadm's first: nodes take images from then on, and nothing is in a hurry for their disk."""
OUTSIDE, INGRESS = "the outside", "ingress"


@dataclass
class Maker:
    """Makes and mends one cluster. Whoever calls it holds the lock of the cluster's state."""

    name: str
    state: StateDir
    engine: Engine
    log: Path
    access: Access
    say: Say
    has_images: bool = False
    """Whether the nodes have the images already."""

    @cached_property
    def kind(self) -> Kind:
        """The program, which is needed to make and to delete only. Raises `ClusterError`."""
        return find_kind(self.engine, self.log)

    def examine(self) -> None:
        """Look at the machine. Raises `ClusterError` when it would be no use to begin."""
        self.say("looking at the machine")
        findings = examine(self.kind.engine)
        if sentence := refusal(findings):
            raise ClusterError(sentence)
        for warning in warnings(findings):
            self.say(warning)

    def create(self, mode: ProxyMode) -> None:
        """A new cluster. Raises `ClusterError`: then nothing is left of it but its logs, and the message says where."""
        self.state.create()
        fresh = Record(self.engine.name, ports=free_ports())
        fresh.write(self.state)
        self.has_images = False
        nodes: Future[bool] = Future()
        images = _beside(lambda: self._prepare_and_load(nodes))
        try:
            self._create_nodes(mode, fresh, nodes)
        except ClusterError as error:
            raise self._failed(fresh, error) from error
        except BaseException:
            self.delete(fresh)
            time.sleep(LATE_SECONDS)
            self.delete(fresh)
            self.state.clean()
            raise
        finally:
            _tell(nodes, False)
        fresh.control_plane = control_plane(self.engine, self.name)
        fresh.lacks = dict.fromkeys((OUTSIDE, INGRESS), "its start was interrupted")
        fresh.write(self.state)
        self.say("getting the lessons' images, building kubelab's own (minutes, the first time)")
        self._complete(fresh, images.result())

    def start_stopped(self) -> None:
        """Start the nodes that were stopped, for example with the machine. Raises `ClusterError`."""
        for each in containers(self.engine, self.name):
            if not each.running:
                self.say(f"starting {each.name} again")
                doing, log = f"Starting {each.name}", self.log
                self.engine.must("start", each.name, doing=doing, timeout_seconds=START_SECONDS, log=log)
        self.await_nodes()

    def mend(self, known: Record, *, retry: bool) -> None:
        """Start the outside again if it has ended; with ``retry`` also try again what could not be brought up."""
        if known.lacks and retry:
            self._complete(known, self._prepare())
        elif OUTSIDE not in known.lacks and not outside.is_running(self.engine, self.name):
            self._start_outside()

    def delete(self, known: Record) -> None:
        """Take the cluster away, if it is the known one. Raises `ClusterError`."""
        engine = self.engine
        for each in engine.containers(**{outside.LABEL: self.name}):
            engine.remove(each.name)
        if containers(engine, self.name) and known.stands_for(engine, self.name):
            self.kind.delete(self.name, self.state.kubeconfig)

    def await_nodes(self) -> None:
        """Wait until all nodes are Ready. Raises `ClusterError`."""
        self.access.ask(_nodes_ready, timeout_seconds=NODES_READY_SECONDS, doing="Waiting for the nodes")

    def _create_nodes(self, mode: ProxyMode, fresh: Record, nodes: Future[bool]) -> None:
        """``nodes`` is told when they can take images."""

        def begins(step: str) -> None:
            self.say(f"kind: {step}")
            if step == HAS_CONTROL_PLANE:
                _tell(nodes, True)

        config = self.state.root / "kind-config.json"
        self.state.write(config, json.dumps(configuration(self.name, mode, fresh.ports), indent=2))
        self.say(f"getting the node image {NODE_IMAGE.partition('@')[0]} (a gigabyte, the first time)")
        image.pull_node_image(self.engine, self.log)
        self.say("kind creates three nodes (half a minute or more)")
        self.kind.create(self.name, config, self.state.kubeconfig, begins)
        self.await_nodes()
        _tell(nodes, True)

    def _failed(self, fresh: Record, error: ClusterError) -> ClusterError:
        self.say("saving the logs of what failed")
        folder = evidence.keep(self.kind, self.name)
        self.delete(fresh)
        self.state.clean()
        sentence = str(error).replace(str(self.log), str(folder / evidence.KIND_LOG)).rstrip(".")
        return ClusterError(
            f"{sentence}. Logs are kept in {folder}; `kubelab doctor --on kind` says what the machine lacks."
        )

    def _prepare(self) -> str:
        """Have all images on the machine; why not, when that fails."""
        try:
            image.prepare(self.engine, self.state.root / ARCHIVE, self.log)
        except ClusterError as error:
            return str(error).rstrip(".")
        return ""

    def _prepare_and_load(self, nodes: Future[bool]) -> str:
        """The same, and into the nodes with them beside kind; what fails of that is tried again when kind has ended."""
        failure = self._prepare()
        if not failure and nodes.result():
            with suppress(ClusterError):
                self.kind.load(self.name, archive := self.state.root / ARCHIVE)
                self.has_images = True
                archive.unlink()
        return failure

    def _complete(self, known: Record, failure: str) -> None:
        """What lessons need besides nodes. A cluster without it is still a cluster: the reason is kept."""
        known.lacks = {}
        for what, bring_up in ((OUTSIDE, self._start_outside), (INGRESS, self._bring_up_ingress)):
            self.say(f"bringing up {what}")
            try:
                if failure:
                    raise ClusterError(failure)
                bring_up()
            except ClusterError as error:
                known.lacks[what] = str(error).rstrip(".")
        known.write(self.state)

    def _start_outside(self) -> None:
        outside.start(self.engine, self.name, self.access)

    def _bring_up_ingress(self) -> None:
        if not self.has_images:
            image.load(self.kind, self.name, self.state.root / ARCHIVE, self.say)
        doing = "Bringing up the ingress controller"
        self.access.ask(ingress.install, timeout_seconds=ingress.READY_SECONDS, doing=doing)


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


def _tell(waiting: Future[bool], value: bool) -> None:
    if not waiting.done():
        waiting.set_result(value)


async def _nodes_ready(client: Client) -> None:
    found: list[Object] = []
    while not found or not all(map(_is_ready, found)):
        await asyncio.sleep(PAUSE_SECONDS if found else 0)
        found = (await client.list(NODES))["items"]


def _is_ready(node: Object) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
