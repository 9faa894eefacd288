"""One container of a pod: started, watched, started again, stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from kubelab.engine.client import Object
from kubelab.engine.network.contract import Process, Program, StartFailed
from kubelab.engine.node import execution, termination
from kubelab.engine.node.actions import Actions, Failure
from kubelab.engine.node.clock import Deadline, cancel, first
from kubelab.engine.node.ending import end
from kubelab.engine.node.execution import Running
from kubelab.engine.node.health import Health
from kubelab.engine.node.host import Host
from kubelab.engine.node.log_file import LogFile
from kubelab.engine.node.pipes import Streams
from kubelab.engine.node.preparation import Prepared
from kubelab.engine.node.records import ContainerRecord, new_container_id
from kubelab.engine.node.restarting import wants_restart
from kubelab.engine.node.status import PodRecord, restart_policy
from kubelab.engine.node.volumes import Volumes
from kubelab.engine.node.waiting import Waiting

log = logging.getLogger(__name__)

START_FAILED = 128
"""The exit code that runtimes give a container whose program could not be started."""
LONGEST_HOOK_SECONDS = 3600.0
"""kubelet sets postStart no limit."""


class Container:
    """Call `run` once; it returns when the container has ended for good."""

    def __init__(
        self,
        host: Host,
        pod: PodRecord,
        record: ContainerRecord,
        volumes: Volumes,
        publish: Callable[[], None],
        beside: Mapping[str, Container],
    ) -> None:
        """``beside``: the pod's containers by their names."""
        self.record = record
        self._beside_it = beside
        self._host = host
        self._pod = pod
        self._publish = publish
        self._deadline: Deadline | None = None
        self._stopping = asyncio.Event()
        self._waiting = Waiting(host, pod, record, volumes, self.event, publish, self._stopping)
        self.started = asyncio.Event()
        """Set when it has started once, by its startup probe if it has one."""
        self.running: Running | None = None
        self.streams: Streams | None = None
        self.log: LogFile | None = None
        self._ended: asyncio.Future[int] | None = None
        self._killing: Deadline | None = None
        self._turn = asyncio.Event()
        self._turn.set()

    # What others ask of it

    def source_changed(self) -> None:
        """A ConfigMap or Secret that its environment waits for may be there now."""
        self._waiting.source_changed.set()

    def changed(self, spec: Object) -> None:
        """Take in a new spec; another image restarts the container."""
        old, self.record.spec = self.record.spec, spec
        if old.get("image") != spec.get("image"):
            self._waiting.image_changed.set()

    async def stop(self, deadline: Deadline, *, in_turn: bool = False) -> None:
        """End it for good: preStop, SIGTERM, and SIGKILL at the deadline; ``in_turn``: SIGTERM when told again."""
        self._deadline = deadline
        if in_turn:
            self._turn.clear()
        else:
            self._turn.set()
        self._stopping.set()
        await self._kill(deadline, f"Stopping container {self.record.name}")

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Tell of something that happened to this container."""
        kind = self.record
        part = "initContainers" if kind.init else "ephemeralContainers" if kind.ephemeral else "containers"
        path = f"spec.{part}{{{self.record.name}}}"
        self._host.events.record(self._pod.pod, reason, message, warning=warning, field_path=path)

    # Its life

    async def run(self) -> None:
        """Start it as often as its restart policy wants, until it is stopped."""
        while not self._stopping.is_set():
            prepared = await self._waiting.until_prepared()
            if prepared is None:
                return
            code = await self._live(prepared)
            if self._stopping.is_set() or not wants_restart(self.record, restart_policy(self._pod.pod), code):
                return
            await self._waiting.before_restart()

    async def _live(self, prepared: Prepared) -> int:
        """One run, from start to end; answers the exit code."""
        record, recipe, clock = self.record, prepared.recipe, self._host.clock
        self._tell_of_image(prepared)
        record.created(recipe.image, recipe.image_id, new_container_id())
        self.event("Created", "Container created")
        folder = self._host.logs / self._pod.pod["metadata"]["uid"] / record.name
        for old in folder.glob(f"{record.restarts - 2}.log*"):  # kubelet keeps the run before, no more
            old.unlink()
        # `kubectl run -i` attaches when the pod runs: what a quick command has said by then would be lost.
        self.log = LogFile(folder / f"{record.restarts}.log", awaited=bool(record.spec.get("stdinOnce")))
        file = folder / "message"
        program = replace(prepared.program, mounts=[*prepared.program.mounts, termination.prepare(file, record.spec)])
        streams = Streams(self.log.write, tty=program.tty, stdin=bool(record.spec.get("stdin")))
        self.streams = streams
        try:
            process = await self._start(program, streams)
            if process is None:
                return START_FAILED
            self.event("Started", "Container started")
            code = await self._watch(process)
            await execution.drain(streams)
        finally:
            self.running = self.streams = None
            streams.close()
            self.log.close()
        said = await termination.message(file, self.log.path, record.spec, code)
        record.terminated(code, clock.now(), message=said)
        self._publish()
        return code

    def _tell_of_image(self, prepared: Prepared) -> None:
        image, recipe = self.record.spec["image"], prepared.recipe
        pulled = f'Container image "{image}" already present on machine and can be accessed by the pod'
        self.event(
            "Pulled", f"{pulled}; kubelab runs a stand-in for this image: {recipe.says}" if recipe.says else pulled
        )
        for each in self.record.spec.get("volumeMounts") or ():
            if any(f"{each['mountPath']}/".startswith(f"{path}/") for path in recipe.unread):
                self.event(
                    "NotApplied", f"kubelab's stand-in for this image does not read {each['mountPath']}", warning=True
                )

    async def _start(self, program: Program, streams: Streams) -> Process | None:
        host, place = self._host, self._host.place_of(self._pod)
        try:
            if target := self.record.spec.get("targetContainerName"):
                program = replace(program, join=self._process_of(target))
            process = await host.network.start(
                place, program, stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr
            )
        except StartFailed as error:
            self.event("Failed", f"Error: {error}", warning=True)
            self.record.terminated(START_FAILED, host.clock.now(), reason="StartError", message=str(error))
            self._publish()
            return None
        streams.give_away()
        self.running = Running(place, self.record.spec["image"], program, process)
        return process

    def _process_of(self, name: str) -> int:
        """The process whose namespaces an ephemeral container shares. Raises `StartFailed`."""
        target = self._beside_it.get(name)
        if target is None or target.running is None:
            raise StartFailed(f'unable to find target container "{name}": it does not run')
        return target.running.process.id

    async def _watch(self, process: Process) -> int:
        """Hooks and probes beside the process; answers its exit code."""
        ended: asyncio.Future[int] = asyncio.ensure_future(process.wait())
        self._ended = ended
        beside = asyncio.ensure_future(self._beside())
        try:
            await first(ended, beside, cancel=False)
            if beside.done():
                beside.result()  # it goes on for ever; if it does not, the network is lost
            return await asyncio.shield(ended)
        finally:
            await cancel(beside)
            if not ended.done():
                await cancel(ended)

    async def _beside(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._until_changed())
            await self._accompany()

    async def _until_changed(self) -> None:
        await self._waiting.image_changed.wait()
        if not self._stopping.is_set():
            await self._kill(self._grace(), f"Container {self.record.name} definition changed, will be restarted")

    async def _accompany(self) -> None:
        assert self.running is not None
        if self._stopping.is_set() and self._deadline is not None:  # told to stop while it was being started
            await self._kill(self._deadline, f"Stopping container {self.record.name}")
        if not await self._post_start(self.running):
            return
        self.record.running(self._host.clock.now())
        self._publish()
        await Health(self, self._actions(), self._host.clock).run()

    async def _post_start(self, running: Running) -> bool:
        hook = (self.record.spec.get("lifecycle") or {}).get("postStart")
        if not hook:
            return True
        try:
            await self._actions(hook=True).run(hook, running, LONGEST_HOOK_SECONDS)
        except Failure as failure:
            self._hook_failed("PostStart", failure)
            await self._kill(self._grace(), "FailedPostStartHook")
            return False
        return True

    def _hook_failed(self, hook: str, failure: Failure) -> None:
        # The event does not say why: kubelet leaves out what may hold secrets.
        self.event(f"Failed{hook}Hook", f"{hook}Hook failed", warning=True)
        log.info("pod %s, container %s: %s hook failed: %s", self._pod.full_name, self.record.name, hook, failure)

    def _actions(self, *, hook: bool = False) -> Actions:
        host = self._host
        return Actions(host.network, host.clock, host.place, self.record.spec, self._pod.ip, hook=hook)

    def _grace(self, seconds: float | None = None) -> Deadline:
        if seconds is None:
            seconds = self._pod.pod["spec"].get("terminationGracePeriodSeconds", 30)
        return Deadline(self._host.clock, seconds)

    # What `Health` tells

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end for good."""
        return self._stopping.is_set()

    def has_started(self) -> None:
        """Its startup probe has succeeded, or it has none."""
        self.record.started = True
        self.started.set()
        self._publish()

    def is_ready(self, ready: bool) -> None:
        """Its readiness is another one."""
        self.record.ready = ready
        self._publish()

    async def failed(self, probe: str, grace_seconds: float | None) -> None:
        """A liveness or startup probe has failed for good: kill it; its restart policy decides on."""
        message = f"Container {self.record.name} failed {probe.lower()} probe, will be restarted"
        await self._kill(self._grace(grace_seconds), message)

    # Its end

    async def _kill(self, deadline: Deadline, message: str) -> None:
        running, ended = self.running, self._ended
        if running is None or ended is None:
            return
        if self._killing is not None:  # by a probe, say, and now the pod is deleted as well
            self._killing.shorten(deadline.seconds_left)
            await asyncio.wait([ended])
            return
        self.event("Killing", message)
        self._killing = deadline
        try:
            lifecycle = self.record.spec.get("lifecycle") or {}
            actions = self._actions(hook=True)
            await end(actions, running, ended, lifecycle, deadline, self._turn, partial(self._hook_failed, "PreStop"))
        finally:
            self._killing = None
