"""The agent's side of the channel: requests in, replies and events out, programs forked and reaped."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kubelab.engine.config import NodeSpec
from kubelab.engine.network.agent import messages
from kubelab.engine.network.agent.backend import Backend, Birth
from kubelab.engine.network.agent.child import become
from kubelab.engine.network.agent.loop import SelectorLoop
from kubelab.engine.network.agent.messages import Message
from kubelab.engine.network.contract import Mount, Place, Program, StartFailed


@dataclass
class _Child:
    """A program that was started and not yet reaped."""

    place: Place
    birth: Birth
    failed: bool = False
    """Whether it could not become its program, so that the engine knows of no process."""


@dataclass
class _Removal:
    """A pod that is gone when its programs are reaped."""

    request: int
    pids: set[int] = field(default_factory=set)


class Server:
    """Serves one engine over ``channel`` until it is gone."""

    def __init__(self, channel: socket.socket, backend: Backend, open_files: tuple[int, int]) -> None:
        """``open_files`` is the RLIMIT_NOFILE that programs get (the agent's own is higher).

        Raises what `Backend.begin` raises.
        """
        self._channel = channel
        self._backend = backend
        self._open_files = open_files
        self._loop = SelectorLoop(self._ended)
        self._children: dict[int, _Child] = {}
        self._starting: dict[int, tuple[int, socket.socket]] = {}
        self._removals: list[_Removal] = []
        self._operations: dict[str, Callable[[Message, list[int]], Message | None]] = {
            "add_node": self._add_node,
            "add_pod": self._add_pod,
            "remove_pod": self._remove_pod,
            "balance": self._balance,
            "start": self._start,
            "run": self._run,
            "signal": self._signal,
        }
        backend.begin(self._loop)

    def greet(self) -> None:
        """Tell the engine that all is ready."""
        self._say({"event": "ready", "notes": self._backend.notes})

    def serve(self) -> None:
        """Serve until the engine's end closes."""
        self._loop.watch(self._channel.fileno(), self._request)
        self._loop.run()
        self._backend.end()

    def _say(self, message: Message, fds: Sequence[int] = ()) -> None:
        try:
            messages.send(self._channel, message, fds)
        except (BrokenPipeError, ConnectionResetError):
            self._loop.stop()

    def _request(self) -> None:
        received = messages.receive(self._channel)
        if received is None:
            self._loop.stop()
            return
        request, fds = received
        try:
            self._answer(request, fds)
        finally:
            for fd in fds:
                os.close(fd)

    def _answer(self, request: Message, fds: list[int]) -> None:
        number, operation = request.pop("id"), request.pop("op")
        request["number"] = number
        try:
            if operation in ("listen", "dial"):
                self._pass_socket(number, operation, request)
                return
            result = self._operations[operation](request, fds)
        except Exception as error:  # the engine has to hear of everything; the agent goes on
            self._say({"id": number, "error": describe(error)})
            return
        if result is not None:  # else the answer comes later
            self._say({"id": number, "result": result})

    # Places and sockets

    def _add_node(self, request: Message, fds: list[int]) -> Message:
        self._backend.add_node(NodeSpec(**request["spec"]))
        return {}

    def _add_pod(self, request: Message, fds: list[int]) -> Message:
        self._backend.add_pod(request["uid"], request["node"], request["ip"])
        return {}

    def _remove_pod(self, request: Message, fds: list[int]) -> Message | None:
        place = Place("pod", request["uid"])
        pids = {pid for pid, child in self._children.items() if child.place == place}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            with suppress(ProcessLookupError):  # not a leader of its group yet
                os.killpg(pid, signal.SIGKILL)
        self._backend.remove_pod(request["uid"])
        if not pids:
            return {}
        self._removals.append(_Removal(request["number"], pids))
        return None

    def _balance(self, request: Message, fds: list[int]) -> Message:
        return {"rules": self._backend.balance(request["addresses"])}

    def _pass_socket(self, number: int, operation: str, request: Message) -> None:
        place, ip, port = Place(*request["place"]), request["ip"], request["port"]
        try:
            if operation == "listen":
                made, address = self._backend.listen(place, ip, port, request["udp"]), (ip, port)
            else:
                made, address = self._backend.dial(place, ip, port)
        except KeyError as error:
            raise OSError(errno.ENETUNREACH, f"{place} has no network") from error
        with made:
            self._say({"id": number, "result": {"address": address}}, [made.fileno()])

    # Programs

    def _start(self, request: Message, fds: list[int]) -> None:
        place = Place(*request["place"])
        program = program_of(request["program"])
        descriptors = iter(fds)
        stdio = [next(descriptors) if given else None for given in request["stdio"]]
        try:
            birth = self._backend.birth(place, program)
        except KeyError as error:
            raise StartFailed(f"{place} has no network") from error
        self._launch(request["number"], place, program, birth, stdio)

    def _run(self, request: Message, fds: list[int]) -> Message | None:
        place, argv = Place(*request["place"]), request["argv"]
        stdin, stdout, stderr = fds
        code = self._backend.answer_tool(place, argv, stdin, stdout, stderr)
        if code is not None:
            return {"code": code}
        program = Program(argv, env=self._backend.tool_env(place))
        self._launch(request["number"], place, program, self._backend.tool_birth(place), fds)
        return None

    def _launch(self, number: int, place: Place, program: Program, birth: Birth, stdio: Sequence[int | None]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = birth.fork()
        except BaseException:
            ours.close()
            theirs.close()
            birth.done()
            raise
        if pid == 0:
            become(program, birth, stdio, theirs, self._open_files)
        theirs.close()
        self._children[pid] = _Child(place, birth)
        self._starting[pid] = (number, ours)
        self._loop.watch(ours.fileno(), lambda: self._reported(pid))

    def _reported(self, pid: int) -> None:
        """The child said something, or closed its end because it executes."""
        number, report = self._starting[pid]
        received = messages.receive(report)
        if received is None:
            self._started(pid, {"id": number, "result": {"pid": pid}})
            return
        message, fds = received
        if "failed" in message:
            error = {"kind": "StartFailed", "message": message["failed"], "code": message["code"]}
            self._children[pid].failed = True
            self._started(pid, {"id": number, "error": error})
        else:
            self._children[pid].birth.message(message, fds)

    def _started(self, pid: int, reply: Message) -> None:
        _, report = self._starting.pop(pid)
        self._loop.unwatch(report.fileno())
        report.close()
        self._children[pid].birth.done()
        self._say(reply)

    def _signal(self, request: Message, fds: list[int]) -> Message:
        pid = request["pid"]
        if pid in self._children:  # a child keeps its pid until it is reaped here
            if request["group"]:
                os.killpg(pid, request["signal"])
            elif self._backend.may_signal(pid, request["signal"]):
                os.kill(pid, request["signal"])
        return {}

    def _ended(self, pid: int, code: int) -> None:
        while pid in self._starting:  # what it had to say comes before its end
            self._reported(pid)
        child = self._children.pop(pid, None)
        if child is None:
            return  # an orphan of a program, inherited by process 1
        self._backend.forget(pid)
        if not child.failed:
            self._say({"event": "exit", "pid": pid, "code": code})
        for removal in self._removals:
            removal.pids.discard(pid)
            if not removal.pids:
                self._say({"id": removal.request, "result": {}})
        self._removals = [removal for removal in self._removals if removal.pids]


def program_of(data: dict[str, Any]) -> Program:
    """A `Program` from its JSON form (`dataclasses.asdict`)."""
    return Program(**{**data, "mounts": [Mount(**mount) for mount in data["mounts"]]})


def describe(error: Exception) -> Message:
    """An exception as the engine will see it again."""
    if isinstance(error, StartFailed):
        return {"kind": "StartFailed", "message": str(error), "code": error.code}
    if isinstance(error, OSError):
        return {"kind": "OSError", "errno": error.errno, "message": error.strerror or str(error)}
    return {"kind": type(error).__name__, "message": str(error)}
