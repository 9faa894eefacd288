"""Nodes as containers: commands in them, and programs that are talked with in their network."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress

from kubelab.clusters.base import ClusterError, Finished
from kubelab.clusters.conversation import Conversation, Lines, what_came
from kubelab.clusters.kind.commands import NO_SUCH_PROGRAM, TIME_IS_UP, last_line
from kubelab.clusters.kind.containers import Engine

PATIENCE_SECONDS = 5.0
"""Beyond a command's own time: for the engine."""
CLOSE_SECONDS = 5.0


class KindNode:
    """A container of the cluster: a node, or the one outside."""

    def __init__(self, engine: Engine, name: str, container: str, image: str = "") -> None:
        """``image`` is what a program that is talked with runs in, beside the node and on its network; empty: in the
        container itself."""
        self.name = name
        self.container = container
        self._engine = engine
        self._image = image

    def __repr__(self) -> str:
        return f"Node({self.name})"

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 30) -> Finished:
        """Run a command in the container. Raises `ClusterError` when the container does not run.

        The code is 127 when there is no such command, 124 when the time was up: it is ended inside, too.
        """
        limit = ("timeout", "--kill-after=2", f"{timeout_seconds:g}")
        done = self._engine.run(
            *("exec", "--interactive", self.container, *limit, *argv),
            stdin=stdin,
            timeout_seconds=timeout_seconds + PATIENCE_SECONDS,
        )
        if done.code == 137 and not done.stderr:
            return done._replace(code=TIME_IS_UP)
        if done.code in (1, 125, 126, 127, 255) and (why := self._why_not(done.stderr)):
            raise ClusterError(why)
        return done

    def talk(self, argv: Sequence[str]) -> Conversation:
        """Start a program in the container's network and talk with it. Raises `ClusterError`.

        A node's image is without Python; there the program runs in a container of its own that shares the network.
        """
        if self._image:
            beside = (
                "run",
                "--rm",
                "--pull=never",
                "--interactive",
                "--privileged",
                f"--network=container:{self.container}",
            )
            return ContainerConversation(
                [self._engine.program, *beside, f"--entrypoint={argv[0]}", self._image, *argv[1:]]
            )
        return ContainerConversation([self._engine.program, "exec", "--interactive", self.container, *argv])

    def command(self, argv: Sequence[str], *, terminal: bool) -> list[str]:
        """The command line that runs ``argv`` here on one's own standard input and output."""
        how = ["--interactive", "--tty"] if terminal else ["--interactive"]
        return [self._engine.program, "exec", *how, self.container, *argv]

    def _why_not(self, said: str) -> str:
        """Why the container could not be asked at all; empty when it was the command that failed."""
        words = said.lower()
        gone = ("no such container", "is not running", "no container with name", "container state improper",
                "no running task found")  # fmt: skip
        if any(each in words for each in gone):
            return f"Node {self.name} does not run; `kubelab up` starts it again."
        if "cannot connect to the docker daemon" in words:
            return f"{self._engine.title} does not run any more; start it, then `kubelab up`."
        return ""


class ContainerConversation:
    """A program whose pipes lead into a container. See `kubelab.clusters.conversation.Conversation`."""

    def __init__(self, argv: Sequence[str]) -> None:
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise ClusterError(f"{argv[0]} cannot be run: {error.strerror}.") from error
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout, self._stderr = self._process.stdin, self._process.stdout, self._process.stderr
        self._lines = Lines(self._stdout.fileno())

    def send(self, text: str) -> None:
        with suppress(BrokenPipeError):
            self._stdin.write(text.encode())
            self._stdin.flush()

    def lines(self, timeout_seconds: float) -> Iterator[str]:
        return self._lines.until(timeout_seconds)

    @property
    def stderr(self) -> str:
        return what_came(self._stderr.fileno())

    def close(self) -> None:
        """The end of its input ends our programs; what does not end by that is killed."""
        with suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()
        self._stderr.close()


def tools_of(node: KindNode, names: Sequence[str]) -> frozenset[str]:
    """Which of these programs the node has. Raises `ClusterError`."""
    script = 'for each in "$@"; do command -v "$each" >/dev/null 2>&1 && echo "$each"; done; true'
    done = node.run(["sh", "-c", script, "sh", *names])
    if done.code not in (0, NO_SUCH_PROGRAM):
        raise ClusterError(f"Node {node.name} cannot be asked: {last_line(done.stderr)}; `kubelab status` says more.")
    return frozenset(done.stdout.split())
