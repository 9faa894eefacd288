"""The program ``kind``: finding it, and its few commands."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubelab.clusters.base import ClusterError, Finished
from kubelab.clusters.kind.commands import TIME_IS_UP, last_line, run
from kubelab.clusters.kind.containers import CHOICE, Engine

OLDEST = (0, 33)
"""The first whose release notes have the node image that is pinned in `configuration`."""
GET_IT = "https://kind.sigs.k8s.io/docs/user/quick-start/#installation"

ANSWER_SECONDS = 20.0
CREATE_SECONDS = 600.0
"""Half a minute on a fast machine whose images are there; kind itself gives up earlier on most of what goes wrong."""
CONTROL_PLANE_SECONDS = 180
DELETE_SECONDS = 120.0
EXPORT_SECONDS = 180.0
LOAD_SECONDS = 300.0


_FAILED = re.compile(r'command "(?P<command>\S+ \S+).*?" failed with error: (?P<ending>[^,\n\]]+)', re.DOTALL)
"""kind's words for any program that it has called, which it quotes with all arguments."""
_ERROR = re.compile(r"^(?:\w+: )?(?:fatal )?error\b|\blevel=(?:error|fatal)\b", re.IGNORECASE)
_PREFIX = re.compile(r"^(?:docker: )?(?:Error response from daemon: |[Ee]rror: )")
"""What stands before the words of engines and of kubeadm."""


@dataclass(frozen=True)
class Kind:
    """kind, on one container engine. Its words are kept in ``log``."""

    program: str
    engine: Engine
    log: Path

    def create(self, name: str, config: Path, kubeconfig: Path, begins: Callable[[str], None]) -> None:
        """Create a cluster; ``begins`` is told each of kind's steps, what a failure leaves stays as evidence.

        Raises `ClusterError`.
        """

        def hear(line: str) -> None:
            if step := step_in(line):
                begins(step)

        wait = f"--wait={CONTROL_PLANE_SECONDS}s"
        arguments = ("create", "cluster", "--name", name, "--config", str(config), "--kubeconfig", str(kubeconfig))
        doing = "kind could not create the cluster"
        self._must(*arguments, "--retain", wait, doing=doing, seconds=CREATE_SECONDS, hear=hear)

    def delete(self, name: str, kubeconfig: Path) -> None:
        """Delete a cluster. Raises `ClusterError`."""
        arguments = ("delete", "cluster", "--name", name, "--kubeconfig", str(kubeconfig))
        self._must(*arguments, doing="kind could not delete the cluster", seconds=DELETE_SECONDS)

    def load(self, name: str, archive: Path) -> None:
        """Bring the images in an archive to all nodes. Raises `ClusterError`."""
        arguments = ("load", "image-archive", str(archive), "--name", name)
        self._must(*arguments, doing="kind could not load the images into the nodes", seconds=LOAD_SECONDS)

    def export_logs(self, name: str, folder: Path) -> Finished:
        """Write the logs of nodes and pods below a folder."""
        return self._run("export", "logs", str(folder), "--name", name, seconds=EXPORT_SECONDS)

    def _run(self, *argv: str, seconds: float, hear: Callable[[str], None] | None = None) -> Finished:
        environment, command = {CHOICE: self.engine.name}, [self.program, *argv]
        return run(command, timeout_seconds=seconds, environment=environment, log=self.log, hear=hear)

    def _must(self, *argv: str, doing: str, seconds: float, hear: Callable[[str], None] | None = None) -> None:
        done = self._run(*argv, seconds=seconds, hear=hear)
        if done.code:
            why = f"no end within {seconds:g} s" if done.code == TIME_IS_UP else complaint(done.stderr)
            raise ClusterError(f"{doing}: {why} (kind's own words are in {self.log}).")


def step_in(line: str) -> str:
    """``Preparing nodes`` of `` • Preparing nodes 📦 📦 📦  ...``; empty when kind does not begin a step there."""
    bullet, _, step = line.strip().partition(" ")
    return " ".join(word for word in step.split() if word.isascii() and word != "...") if bullet == "•" else ""


def complaint(said: str) -> str:
    """What went wrong, in a line: kind's error and, where that is a command that failed, what the command said.

    kind prints its steps before it, and the whole command line and output of what failed.
    """
    _, found, rest = f"\n{said}".rpartition("\nERROR: ")
    if not found:
        return last_line(said).rstrip(".")
    error, _, output = rest.partition("Command Output:")
    error = error.partition("Stack Trace:")[0].lstrip("[")  # of several that failed, the first
    why = _FAILED.search(error)
    if why is None:
        return " ".join(error.split()).rstrip(".")
    words = _error_in(output.partition("Stack Trace:")[0]) or why["ending"]
    return f"{error[: why.start()]}`{why['command']} …` failed: {words}".rstrip(".")


def _error_in(output: str) -> str:
    """The last line that calls itself an error, else the last of all; how to ask for help is none."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return _PREFIX.sub("", (errors or lines or [""])[-1])


def find_kind(engine: Engine, log: Path) -> Kind:
    """kind from PATH. Raises `ClusterError` when it is missing or too old."""
    program = shutil.which("kind")
    if program is None:
        raise ClusterError(f"kind is not on PATH: {GET_IT} says how to get it (0.33 or newer).")
    done = run([program, "version"], timeout_seconds=ANSWER_SECONDS)
    version = version_in(done.stdout)
    if done.code or not version:
        raise ClusterError(f"{program} does not say its version ({complaint(done.stderr)}); get kind from {GET_IT}.")
    if version < OLDEST:
        dotted = ".".join(map(str, version))
        raise ClusterError(f"kind {dotted} is too old, 0.33 or newer is needed: {GET_IT} says how to get it.")
    return Kind(program, engine, log)


def version_in(text: str) -> tuple[int, ...]:
    """``kind v0.33.0 go1.26.1 linux/amd64`` → (0, 33, 0); empty when there is none."""
    found = re.search(r"\bv(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else ()
