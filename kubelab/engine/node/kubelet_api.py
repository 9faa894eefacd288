"""What a node answers about its pods: logs, exec, attach and port-forward (`kubelet_server` serves it over HTTPS)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from kubelab.engine.client import Object
from kubelab.engine.node import forwarding, sessions
from kubelab.engine.node.log_reader import BadLogOptions, LogOptions, read
from kubelab.engine.node.sessions import Wanted

if TYPE_CHECKING:
    from kubelab.engine.node.agent import NodeAgent
    from kubelab.engine.node.channels import Channels
    from kubelab.engine.node.container import Container
    from kubelab.engine.node.pod_worker import PodWorker
    from kubelab.engine.node.spdy import Connection

NOT_THERE = 404
BAD = 400


class Refused(Exception):
    """A request that cannot be answered: ``code`` is the HTTP status, the message is plain text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class KubeletApi:
    """Of one node agent."""

    def __init__(self, agent: NodeAgent) -> None:
        self._agent = agent

    def logs(self, namespace: str, pod: str, container: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log's text in chunks. Raises `Refused`."""
        try:
            options = LogOptions.from_query(query, self._agent.host.clock.now())
        except BadLogOptions as error:
            raise Refused(BAD, str(error)) from error
        worker = self._worker(namespace, pod)
        found = self._container(worker, container)
        folder = self._agent.host.logs / worker.uid / container
        if options.previous:
            # In a crash loop the run that ended last is the one before: the next has not begun.
            begun = "waiting" not in found.record.state or (found.log is not None and not found.log.closed)
            run = found.record.restarts - begun
            path = folder / f"{run}.log"
            if not found.record.last_state or not path.exists():
                raise Refused(BAD, f'previous terminated container "{container}" in pod "{pod}" not found')
            return read(path, options, None)
        waiting = found.record.state.get("waiting")
        if waiting and found.record.exit_code is None:
            raise Refused(BAD, f'container "{container}" in pod "{pod}" is waiting to start: {_why(waiting["reason"])}')
        live = found.log if found.log is not None and not found.log.closed else None
        return read(folder / f"{found.record.restarts}.log", options, live)

    async def execute(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], wanted: Wanted, client: Channels
    ) -> None:
        """Run a command in a container for a client. Raises `Refused`."""
        found = self._container(self._worker(namespace, pod), container)
        if found.running is None:
            raise Refused(NOT_THERE, f'container not found ("{container}")')
        if not argv:
            raise Refused(BAD, "you must specify at least 1 command for the container")
        await sessions.execute(self._agent.host.network, found.running, argv, wanted, client)

    async def attach(self, namespace: str, pod: str, container: str, wanted: Wanted, client: Channels) -> None:
        """Join a client to a container's streams. Raises `Refused`."""
        found = self._container(self._worker(namespace, pod), container)
        if found.streams is None or found.log is None:
            raise Refused(NOT_THERE, f'container not found ("{container}")')
        once = bool(found.record.spec.get("stdinOnce"))
        await sessions.attach(found.streams, found.log, wanted, client, once=once)

    async def forward(self, namespace: str, pod: str, ports: Sequence[int], client: Channels) -> None:
        """Forward these ports of a pod, two channels each. Raises `Refused`."""
        await forwarding.forward_channels(self.ports_of(namespace, pod), ports, client)

    async def forward_streams(self, namespace: str, pod: str, connection: Connection) -> None:
        """Forward the ports that the connection's streams name. Raises `Refused`."""
        await forwarding.forward_streams(self.ports_of(namespace, pod), connection)

    def pods(self) -> list[Object]:
        """The node's pods as it knows them."""
        return [worker.record.pod for worker in self._agent.workers.values()]

    def ports_of(self, namespace: str, pod: str) -> forwarding.PodPorts:
        """The pod's ports. Raises `Refused`."""
        worker = self._worker(namespace, pod)
        if not worker.record.sandbox:
            raise Refused(NOT_THERE, f'pod "{pod}" does not run')
        return forwarding.PodPorts(self._agent.host.network, self._agent.host.place_of(worker.record))

    def _worker(self, namespace: str, pod: str) -> PodWorker:
        for worker in reversed(self._agent.workers.values()):  # the newest: one of the same name may still be ending
            meta = worker.record.pod["metadata"]
            if (meta["namespace"], meta["name"]) == (namespace, pod):
                return worker
        raise Refused(NOT_THERE, f'pod "{pod}" not found on node {self._agent.host.spec.name}')

    def _container(self, worker: PodWorker, name: str) -> Container:
        if name not in worker.containers:
            pod = worker.record.pod["metadata"]["name"]
            raise Refused(NOT_THERE, f'container "{name}" not found in pod "{pod}"')
        return worker.containers[name]


def _why(reason: str) -> str:
    pull = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
    return "trying and failing to pull image" if reason in pull else reason
