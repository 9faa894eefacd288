"""The program ``kind``: finding it, and its few commands."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kubelab.clusters.base import ClusterError, Finished
from kubelab.clusters.kind.commands import TIME_IS_UP, run
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


@dataclass(frozen=True)
class Kind:
    """kind, on one container engine. Its words are kept in ``log``."""

    program: str
    engine: Engine
    log: Path

    def create(self, name: str, config: Path, kubeconfig: Path) -> None:
        """Create a cluster; what a failure leaves stays, as evidence. Raises `ClusterError`."""
        wait = f"--wait={CONTROL_PLANE_SECONDS}s"
        arguments = ("create", "cluster", "--name", name, "--config", str(config), "--kubeconfig", str(kubeconfig))
        self._must(*arguments, "--retain", wait, doing="kind could not create the cluster", seconds=CREATE_SECONDS)

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

    def _run(self, *argv: str, seconds: float) -> Finished:
        environment = {CHOICE: self.engine.name}
        return run([self.program, *argv], timeout_seconds=seconds, environment=environment, log=self.log)

    def _must(self, *argv: str, doing: str, seconds: float) -> None:
        done = self._run(*argv, seconds=seconds)
        if done.code:
            why = f"no end within {seconds:g} s" if done.code == TIME_IS_UP else complaint(done.stderr)
            raise ClusterError(f"{doing}: {why} (kind's own words are in {self.log}).")


def complaint(said: str) -> str:
    """The line that says what went wrong; kind prints steps and stack traces around it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["it said nothing"])[0].rstrip(".")


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
