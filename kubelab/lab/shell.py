"""Commands inside pods."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from kubelab.lab.api import Api, Stream
from kubelab.lab.errors import CannotRun, TimedOut

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
    """A client program that runs in a pod. Iterate over it for its results; `stop` ends it."""

    def __init__(self, stream: Stream, pod: str, job: dict[str, Any], program: str) -> None:
        self._stream = stream
        self._pod = pod
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
            raise TimedOut(f"The client in pod {self._pod} did not end within {timeout_seconds:g} s.") from error
        finally:
            self._stream.close()
        if self._stream.code == 127:
            raise CannotRun(
                f"Pod {self._pod} has no python3 to send requests with; leave `source` out to use the lab's own client."
            )
        if self._stream.code != 0:
            raise CannotRun(f"The client in pod {self._pod} failed: {_last_line(self._stream.stderr)}")

    def reconnect(self) -> None:
        """Tell the client to give up the connections that it keeps."""
        self._stream.send("reconnect\n")

    def stop(self) -> None:
        """Tell the client to finish what it has begun and to end."""
        self._stream.send("\n")


def start_client(api: Api, namespace: str, pod: str, job: dict[str, Any], program: str = REQUESTS) -> Client:
    """Start a client program in a pod. Raises `CannotRun`."""
    return Client(api.run(namespace, pod, CLIENT_ARGV), pod, job, program)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
