from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubelab.clusters.kind.cluster import KindCluster
from tests.clusters.kind.fake_api import FakeApi

PROGRAMS = Path(__file__).with_name("fake_programs.py")
INFO = {
    "ServerVersion": "28.2.2",
    "CgroupVersion": "2",
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "MemTotal": 8 << 30,
    "NCPU": 4,
    "DockerRootDir": "/",
    "OperatingSystem": "Debian GNU/Linux 13",
}
PODMAN_INFO = {
    "version": {"Version": "5.4.0"},
    "host": {"cgroupVersion": "v2", "cgroupControllers": ["cpu", "memory", "pids"], "memTotal": 8 << 30, "cpus": 4,
             "security": {"rootless": True}, "distribution": {"distribution": "fedora"}},
    "store": {"graphRoot": "/"},
}  # fmt: skip

NODES = ["demo-control-plane", "demo-worker", "demo-worker2"]
TOOLS = ("sh", "cat", "env", "sleep", "timeout", "tr", "true")
"""What tests run in a "container"; a real engine or kind of this machine is not to be found."""
HEEDED = ("KIND_EXPERIMENTAL_PROVIDER", "DOCKER_HOST", "KUBELAB_NAME", "KUBELAB_ON", "KUBELAB_TIER")


class Programs:
    """The machine's container engines and kind; none but those that are installed here."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "bin").mkdir(parents=True)
        self.path = home / "path"
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(str(shutil.which(tool)))
        self.info(INFO)

    def install(self, *names: str) -> None:
        """Put these on PATH."""
        for name in names:
            script = self.path / name
            command = shlex.join([sys.executable, "-S", "-E", str(PROGRAMS), name])
            script.write_text(f'#!/bin/sh\nFAKE_HOME={shlex.quote(str(self.home))} exec {command} "$@"\n')
            script.chmod(0o755)

    def install_real(self, kind: str) -> None:
        """Put the real kind on PATH; what it does in nodes is answered by `fake_node`."""
        (self.path / "kind").unlink(missing_ok=True)
        (self.path / "kind").symlink_to(kind)

    def api_is_on(self, port: int) -> None:
        """What is behind the control plane's published port."""
        (self.home / "behind.json").write_text(json.dumps({"6443": port}))

    def info(self, said: dict) -> None:
        """What the engine says of itself."""
        (self.home / "info.json").write_text(json.dumps(said))

    def answer(self, *rules: tuple[str, int, str, str] | tuple[str, int, str, str, float]) -> None:
        """Answer otherwise than usual: (pattern of the command line, exit code, stdout, stderr, seconds before)."""
        (self.home / "rules.json").write_text(json.dumps([[*rule, 0][:5] for rule in rules]))

    def kubernetes_does_not_come_up(self, said: str) -> None:
        """kind makes the nodes' containers, and in them kubeadm says this and fails."""
        (self.home / "fails").write_text(said)

    def tool(self, name: str, script: str) -> None:
        """A program inside the nodes; $FAKE_NODE is the node's name."""
        path = self.home / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """The command lines so far."""
        calls = self.home / "calls"
        return [" ".join(json.loads(line)) for line in calls.read_text().splitlines()] if calls.exists() else []

    def called(self, beginning: str) -> list[str]:
        """Those that begin so."""
        return [call for call in self.calls if call.startswith(beginning)]

    @property
    def loaded(self) -> dict[str, list[str]]:
        """Node → the images that were loaded into it."""
        lines = (self.home / "loaded").read_text().splitlines()
        return {node: images for node, *images in map(str.split, lines)}

    @property
    def containers(self) -> dict:
        """The containers by name."""
        return self._state("containers")

    @property
    def volumes(self) -> dict:
        """The volumes by name."""
        return self._state("volumes")

    def _state(self, what: str) -> dict:
        path = self.home / "state.json"
        return json.loads(path.read_text()).get(what, {}) if path.exists() else {}


def machine_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Docker and kind, both in order, and nothing in the environment that they would heed."""
    fakes = Programs(folder / "fakes")
    fakes.install("docker", "kind")
    monkeypatch.setenv("PATH", str(fakes.path))
    monkeypatch.setenv("KUBELAB_HOME", str(folder / "home"))
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name in HEEDED:
            monkeypatch.delenv(name)
    return fakes


def api_for(folder: Path, programs: Programs) -> FakeApi:
    """The API server of the cluster that kind is about to make."""
    fake = FakeApi(folder / "api")
    (programs.home / "kubeconfig").write_text(fake.kubeconfig())
    return fake


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A machine of the test's own."""
    return machine_with(tmp_path, monkeypatch)


@pytest.fixture
def api(tmp_path: Path, programs: Programs) -> Iterator[FakeApi]:
    """See `api_for`."""
    fake = api_for(tmp_path, programs)
    yield fake
    fake.close()


@pytest.fixture
def cluster(programs: Programs, api: FakeApi) -> KindCluster:
    """A cluster that is not there yet."""
    return KindCluster("demo")


@pytest.fixture
def up(cluster: KindCluster) -> KindCluster:
    """A cluster that is up."""
    cluster.up()
    return cluster
