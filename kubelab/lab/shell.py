"""Commands inside pods, and programs of our own there and outside the cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from kubelab.clusters.conversation import Conversation, Talks
from kubelab.lab.api import Api, Stream
from kubelab.lab.errors import CannotRun, TimedOut

if TYPE_CHECKING:
    from kubelab.clusters.base import Node

_BOOTSTRAP = (
    "import sys,json;j=json.loads(sys.stdin.readline());"
    "exec(compile(j['program'],'kubelab-client','exec'),{'job':j['job'],'__name__':'client'})"
)
CLIENT_ARGV = ("python3", "-IS", "-c", _BOOTSTRAP)
"""Starts the client program, which comes as the first line of standard input: the image needs nothing but Python."""


class Finished(NamedTuple):
    """A command that was run to its end."""

    code: int
    stdout: str
    stderr: str


def run(
    api: Api, namespace: str, pod: str, argv: Sequence[str], timeout_seconds: float, container: str | None = None
) -> Finished:
    """Run a command in a pod to its end. Raises `CannotRun`, `TimedOut`."""
    stream = api.run(namespace, pod, list(argv), container)
    try:
        stdout = "\n".join(stream.lines(timeout_seconds))
    except TimeoutError as error:
        raise TimedOut(f"`{' '.join(argv)}` in pod {pod} did not end within {timeout_seconds:g} s.") from error
    finally:
        stream.close()
    return Finished(stream.code, stdout, stream.stderr)


REQUESTS = "client_program.py"
"""The program that sends requests; others stand beside it."""


@cache
def client_program(file: str = REQUESTS) -> str:
    """The source of a program that runs inside a pod."""
    return resources.files("kubelab.lab").joinpath(file).read_text()


def client_input(job: dict[str, Any], program: str = REQUESTS) -> str:
    """What the bootstrap reads: the program and its job, on one line."""
    return json.dumps({"program": client_program(program), "job": job}) + "\n"


class Client:
    """A client program that runs somewhere. Iterate over it for its results; `stop` ends it."""

    def __init__(self, stream: Stream, where: str, job: dict[str, Any], program: str) -> None:
        """``where``: ``in pod web-1``, ``outside the cluster``."""
        self._stream = stream
        self._where = where
        stream.send(client_input(job, program))

    def results(self, timeout_seconds: float, began: Callable[[], None] = lambda: None) -> Iterator[dict[str, Any]]:
        """One dict a request, as they come; ``began`` is called when the client is about to send the first."""
        try:
            for line in self._stream.lines(timeout_seconds):
                result = json.loads(line)
                if "began" in result:
                    began()
                else:
                    yield result
        except TimeoutError as error:
            raise TimedOut(f"The client {self._where} did not end within {timeout_seconds:g} s.") from error
        finally:
            self._stream.close()
        if self._stream.code == 127:
            raise CannotRun(
                f"There is no python3 {self._where} to send requests with; leave `source` out for the lab's own client."
            )
        if self._stream.code != 0:
            raise CannotRun(f"The client {self._where} failed: {_last_line(self._stream.stderr)}")

    def reconnect(self) -> None:
        """Tell the client to give up the connections that it keeps."""
        self._stream.send("reconnect\n")

    def stop(self) -> None:
        """Tell the client to finish what it has begun and to end."""
        self._stream.send("\n")


def start_client(api: Api, namespace: str, pod: str, job: dict[str, Any], program: str = REQUESTS) -> Client:
    """Start a client program in a pod. Raises `CannotRun`."""
    return Client(api.run(namespace, pod, CLIENT_ARGV), f"in pod {pod}", job, program)


def start_outside(node: Node, job: dict[str, Any], program: str = REQUESTS) -> Client:
    """Start a client program on a node, or outside the cluster (``cluster.outside``). Raises `CannotRun`."""
    if not isinstance(node, Talks):
        raise CannotRun("This cluster has no place outside where a program could run; send from a pod instead.")
    return Client(_Talking(node.talk(CLIENT_ARGV)), "outside the cluster", job, program)


class _Talking:
    """A conversation as a stream. It has no exit code; a program of ours that fails says why on standard error."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._closed = False
        self.stderr = ""

    @property
    def code(self) -> int:
        return 1 if self.stderr else 0

    def send(self, text: str) -> None:
        if not self._closed:
            self._conversation.send(text)

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        return self._conversation.lines(timeout_seconds)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.stderr = self._conversation.stderr
            self._conversation.close()


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
