"""Docker, Podman or nerdctl: finding the one that works, and its few commands that are needed here."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from kubelab.clusters.base import ClusterError, Finished
from kubelab.clusters.kind.commands import TIME_IS_UP, last_line, run

ENGINES = ("docker", "nerdctl", "podman")
"""In the order in which kind looks for them."""
TITLES = {"docker": "Docker", "podman": "Podman", "nerdctl": "nerdctl"}
OLDEST = {"docker": (20, 10), "podman": (3, 0), "nerdctl": (1, 7)}
"""For kind, also without root (https://kind.sigs.k8s.io/docs/user/rootless/)."""
START = {
    "docker": "`sudo systemctl start docker`, or start Docker Desktop",
    "podman": "`systemctl --user start podman.socket`, or `podman machine start`",
    "nerdctl": "`sudo systemctl start containerd`, or `containerd-rootless-setuptool.sh install`",
}
CHOICE = "KIND_EXPERIMENTAL_PROVIDER"
"""kind's own variable, for those who have several engines."""
ANSWER_SECONDS = 20.0
CONTROLLERS = ("cpu", "memory", "pids")
LIMITS = dict(zip(CONTROLLERS, ("CPUShares", "MemoryLimit", "PidsLimit"), strict=True))
"""Without one of them kind 0.33 does not begin on an engine without root; what Docker and nerdctl say of each."""
LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"
"""What kind writes on its nodes' containers."""


class Facts(NamedTuple):
    """What an engine says of itself and of where it runs (which may be a virtual machine)."""

    version: tuple[int, ...]
    cgroup: int
    rootless: bool
    controllers: tuple[str, ...]
    """Of cgroups, what containers may be limited by: of cpu, memory, pids."""
    memory: int
    """Bytes; 0 where it does not say."""
    cpus: int
    root: Path
    """Where it keeps images."""
    system: str
    """For people: ``Docker Desktop``, ``Ubuntu 24.04``."""
    one_of_several: str = ""
    """``linux/amd64``, where of an image for several platforms it keeps this one and can be asked to save no more."""

    @property
    def in_a_machine_of_its_own(self) -> bool:
        """Whether what is below the engine is not this system."""
        return "desktop" in self.system.lower() or "(remote)" in self.system


class Container(NamedTuple):
    """A container of the engine."""

    id: str
    name: str
    running: bool


@dataclass(frozen=True)
class Engine:
    """One container engine."""

    name: str
    """``docker``, ``podman`` or ``nerdctl``."""
    program: str

    @property
    def title(self) -> str:
        """Its name as people write it."""
        return TITLES[self.name]

    @cached_property
    def facts(self) -> Facts:
        """Asked once. Raises `ClusterError` when the engine does not work, with what mends it."""
        form = "json" if self.name == "podman" else "{{json .}}"
        done = self.run("info", "--format", form, timeout_seconds=ANSWER_SECONDS)
        try:
            said: dict[str, Any] = json.loads(done.stdout or "{}")
        except ValueError:
            said = {}
        complaint = "\n".join(said.get("ServerErrors") or ()) or done.stderr
        if done.code or not said or said.get("ServerErrors"):
            raise ClusterError(self._why_not(done.code, complaint or done.stdout))
        facts = _of_podman(said) if self.name == "podman" else _of_docker(said)
        if self.name == "nerdctl":  # what it calls the server's version is containerd's
            facts = facts._replace(version=_version(self._own_version()))
        if facts.version < OLDEST[self.name]:
            raise ClusterError(
                f"{self.title} {_dotted(facts.version)} is too old for kind: {_dotted(OLDEST[self.name])} or newer is "
                "needed."
            )
        return facts

    def run(
        self, *argv: str, timeout_seconds: float, stdin: str = "", environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> Finished:  # fmt: skip
        """Run one of its commands to its end."""
        command = [self.program, *argv]
        return run(command, timeout_seconds=timeout_seconds, stdin=stdin, environment=environment, log=log)

    def must(
        self, *argv: str, doing: str, timeout_seconds: float = ANSWER_SECONDS,
        environment: Mapping[str, str] | None = None, log: Path | None = None,
    ) -> str:  # fmt: skip
        """The same for what has to work: its standard output. Raises `ClusterError`: ``{doing} failed: …``."""
        done = self.run(*argv, timeout_seconds=timeout_seconds, environment=environment, log=log)
        if done.code:
            see = f" (see {log})" if log is not None else ""
            raise ClusterError(f"{doing} failed: {self._sentence(done)}{see}.")
        return done.stdout

    def containers(self, **labels: str) -> list[Container]:
        """The containers with these labels, running or not, by name."""
        filters = [f"--filter=label={key}={value}" for key, value in labels.items()]
        listed = self.must(
            *("ps", "--all", "--no-trunc", *filters, "--format", "{{.ID}}\t{{.Names}}\t{{.Status}}"),
            doing=f"Asking {self.title} for its containers",
        )
        rows = (line.split("\t") for line in listed.splitlines() if line.count("\t") == 2)
        found = (Container(id_, name, status.startswith("Up")) for id_, name, status in rows)
        return sorted(found, key=lambda each: each.name)

    def inspect(self, container: str, form: str) -> str:
        """What the engine says of a container, by a Go template; empty when there is none."""
        done = self.run("inspect", "--type", "container", "--format", form, container, timeout_seconds=ANSWER_SECONDS)
        return done.stdout.strip() if done.code == 0 else ""

    def remove(self, container: str) -> None:
        """Remove a container; quiet when there is none."""
        self.run("rm", "--force", "--volumes", container, timeout_seconds=60)

    def has_image(self, image: str) -> bool:
        """Whether an image is here already."""
        return self.run("image", "inspect", image, timeout_seconds=ANSWER_SECONDS).code == 0

    def _own_version(self) -> str:
        """``2.1.3`` of ``nerdctl version 2.1.3``."""
        said = self.run("--version", timeout_seconds=ANSWER_SECONDS).stdout
        return (said.split() or [""])[-1]

    def _why_not(self, code: int, said: str) -> str:
        words = said.lower()
        if code == TIME_IS_UP:
            return f"{self.title} did not answer within {ANSWER_SECONDS:g} s: restart it, {START[self.name]}."
        if self.name == "docker" and "permission denied" in words:
            return (
                f"{self.title} is here, but you may not use it (permission denied on its socket): "
                "`sudo usermod -aG docker $USER`, then log in again; or set up its rootless mode."
            )
        gone = ("cannot connect", "daemon running", "connection refused", "no such file", "unable to connect")
        if any(each in words for each in gone):
            return f"{self.title} is installed, but does not run: {START[self.name]}."
        return f"{self.title} does not work: {last_line(said)}; `{self.name} info` shows it all."

    def _sentence(self, done: Finished) -> str:
        return last_line(done.stderr or done.stdout).rstrip(".")


def find_engine(name: str | None = None) -> Engine:
    """The engine of this name, else that of ``$KIND_EXPERIMENTAL_PROVIDER``, else the first that works.

    Raises `ClusterError`: there is none, or why none works.
    """
    wanted = name or os.environ.get(CHOICE) or ""
    if wanted and wanted not in ENGINES:
        raise ClusterError(f"{CHOICE} is {wanted!r}; kubelab knows {', '.join(ENGINES)}.")
    found = [
        Engine(each, program)
        for each in ([wanted] if wanted else ENGINES)
        if (program := shutil.which(each)) is not None
    ]
    if not found:
        raise ClusterError(
            f"kind needs {TITLES[wanted] if wanted else 'Docker, Podman or nerdctl'}, which is not on PATH: "
            "https://docs.docker.com/engine/install/ says how to get it; `kubelab up` without --on needs none."
        )
    failures = []
    for engine in found:
        if engine.name == "docker" and len(found) > 1 and _is_podman(engine):
            continue  # the package podman-docker: kind would not be deceived either
        try:
            engine.facts  # noqa: B018  (asking is the trial)
        except ClusterError as error:
            failures.append(error)
        else:
            return engine
    raise failures[0]


def _is_podman(engine: Engine) -> bool:
    return "podman" in engine.run("--version", timeout_seconds=ANSWER_SECONDS).stdout.lower()


def _of_docker(said: Mapping[str, Any]) -> Facts:
    options: Sequence[str] = said.get("SecurityOptions") or ()
    limits = said.get("CgroupDriver") != "none"  # else nothing of what it says of limits means anything
    return Facts(
        version=_version(said.get("ServerVersion") or ""),
        cgroup=int(said.get("CgroupVersion") or 1),
        rootless=any("name=rootless" in each for each in options),
        controllers=tuple(each for each, limit in LIMITS.items() if said.get(limit) and limits),
        memory=int(said.get("MemTotal") or 0),
        cpus=int(said.get("NCPU") or 0),
        root=Path(said.get("DockerRootDir") or "/var/lib/docker"),
        system=str(said.get("OperatingSystem") or "an unknown system"),
        one_of_several=_one_of_several(said),
    )


def _one_of_several(said: Mapping[str, Any]) -> str:
    """Docker's containerd image store, usual since 29, keeps so; ``docker save --platform`` is there since 28."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(said.get("Architecture") or "")
    in_containerd = ["driver-type", "io.containerd.snapshotter.v1"] in (said.get("DriverStatus") or ())
    knows = _version(said.get("ServerVersion") or "") >= (28,)
    return f"linux/{architecture}" if architecture and in_containerd and knows else ""


def _of_podman(said: Mapping[str, Any]) -> Facts:
    host, store = said.get("host") or {}, said.get("store") or {}
    distribution = (host.get("distribution") or {}).get("distribution") or "an unknown system"
    remote = " (remote)" if host.get("serviceIsRemote") else ""
    version = _version((said.get("version") or {}).get("Version") or "")
    controllers = tuple(host.get("cgroupControllers") or ()) if version >= (4, 0) else CONTROLLERS  # older: not said
    return Facts(
        version=version,
        cgroup=2 if host.get("cgroupVersion") == "v2" else 1,
        rootless=bool((host.get("security") or {}).get("rootless")),
        controllers=controllers,
        memory=int(host.get("memTotal") or 0),
        cpus=int(host.get("cpus") or 0),
        root=Path(store.get("graphRoot") or "/var/lib/containers/storage"),
        system=f"{distribution}{remote}",
    )


def _version(text: str) -> tuple[int, ...]:
    numbers = (part for part in text.lstrip("v").replace("-", ".").replace("+", ".").split("."))
    found = []
    for part in numbers:
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version)) or "unknown"
