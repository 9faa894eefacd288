"""What an engine withstands: a crowd, a full disk, the end in the middle of a beginning."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.descendants import below
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.engine.control.client import Call
from tests.engine.life.real.conftest import Api

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
INGRESS = "/apis/apps/v1/namespaces/kubelab-ingress/deployments"
PODS = "/api/v1/namespaces/default/pods"
WATCHES, HALF_OPEN, AGAIN = 1000, 200, 300
MOST_LEFT = 8 << 20
"""Bytes that as many connections as `AGAIN` may leave behind; what they take while they last is three times as much."""


class Crowd:
    """Connections to the API, as raw as they come."""

    def __init__(self, cluster: EmbeddedCluster, stack: ExitStack) -> None:
        self._tls = ssl.create_default_context(cafile=str(cluster.state.pki / "ca.crt"))
        self._at = ("127.0.0.1", int(cluster.facts()["server"].rpartition(":")[2]))
        self._token = cluster.state.token.read_text()
        self._stack = stack

    def connect(self) -> socket.socket:
        return self._stack.enter_context(socket.create_connection(self._at, 30))

    def ask(self, request: str) -> ssl.SSLSocket:
        tls = self._stack.enter_context(self._tls.wrap_socket(self.connect(), server_hostname="127.0.0.1"))
        tls.sendall(request.encode())
        return tls

    def watch(self) -> ssl.SSLSocket:
        head = f"Host: here\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        return self.ask(f"GET {CONFIGMAPS}?watch=1 HTTP/1.1\r\n{head}")

    def half_open(self, number: int) -> None:
        """Nothing at all, the beginning of a handshake, or the beginning of a request."""
        if number % 3 == 2:
            self.ask("GET /api HTT")
        else:
            self.connect().sendall((b"", b"\x16\x03\x01\x02")[number % 3])


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def read_until(stream: ssl.SSLSocket, words: bytes) -> bool:
    said = b""
    while words not in said and (more := stream.recv(1 << 16)):
        said += more
    return words in said


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process may have a descriptor for each of the crowd."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = WATCHES + HALF_OPEN + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"a process may have {hard} open files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_crowd_starves_nobody_and_leaves_nothing_and_reset_ends_pods_that_begin(
    cluster, api, eventually, many_files
) -> None:
    """One cluster for both: what a thousand watches do to it, and then a reset while pods start."""
    cluster.up()
    engine = cluster.state.engine_pid()
    eventually(lambda: not cluster.facts()["ingress"] or any(map(is_available, api("GET", INGRESS)["items"])))
    before = open_files(engine)
    with ExitStack() as stack:
        crowd = Crowd(cluster, stack)
        watches = [crowd.watch() for _ in range(WATCHES)]
        for number in range(HALF_OPEN):
            crowd.half_open(number)
        assert open_files(engine) >= WATCHES + HALF_OPEN
        api("POST", CONFIGMAPS, {"metadata": {"name": "for-all-to-see"}})
        assert api.exists(f"{CONFIGMAPS}/for-all-to-see")
        assert all(read_until(each, b"for-all-to-see") for each in watches)
    eventually(lambda: open_files(engine) <= before + 10)  # the cluster's own come and go
    held = resident(engine)
    with ExitStack() as stack:
        crowd = Crowd(cluster, stack)
        assert all(read_until(each, b"for-all-to-see") for each in [crowd.watch() for _ in range(AGAIN)])
    eventually(lambda: open_files(engine) <= before + 10)
    assert resident(engine) <= held + MOST_LEFT

    begin_pods(api)
    cluster.reset()
    assert api("GET", PODS)["items"] == []
    begin_pods(api)
    with Call(cluster.state, "reset", {}):
        pass  # and hung up on at once
    eventually(lambda: not api("GET", PODS)["items"])
    eventually(lambda: not [pid for pid in below(engine) if "--http-port=8099" in command_line(pid)])
    alive = {pod["metadata"]["uid"] for pod in api("GET", "/api/v1/pods")["items"]}
    for folder in (cluster.state.volumes, cluster.state.logs):
        eventually(lambda folder=folder: {each.name for each in folder.glob("*/*")} <= alive)


def begin_pods(api: Api) -> None:
    args = ["netexec", "--http-port=8099"]
    for number in range(6):
        container = {"name": "web", "image": "registry.k8s.io/e2e-test-images/agnhost:2.53", "args": args}
        api("POST", PODS, {"metadata": {"name": f"web-{number}"}, "spec": {"containers": [container]}})


def is_available(deployment: dict) -> bool:
    return deployment.get("status", {}).get("availableReplicas", 0) == deployment["spec"]["replicas"]


def command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return ""


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of a few megabytes, where clusters are kept."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "kubelab-test", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    monkeypatch.setenv("KUBELAB_HOME", str(place / "home"))
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all the room that is left."""
    file = place / "filler"
    with suppress(OSError), open(file, "ab", buffering=0) as filler:
        while filler.write(bytes(1 << 16)):
            pass
    return file


def test_on_a_full_or_read_only_disk_nothing_is_acknowledged_that_is_not_kept(small_disk: Path) -> None:
    cluster = EmbeddedCluster("full")
    api = Api(cluster)
    try:
        filler = fill(small_disk)
        with pytest.raises(ClusterError, match=r"cannot be kept in .*No space left on device.*KUBELAB_HOME"):
            cluster.up()
        filler.unlink()
        remount(small_disk, "ro")
        with pytest.raises(ClusterError, match=r"cannot be kept in .*Read-only file system.*KUBELAB_HOME"):
            cluster.up()
        remount(small_disk, "rw")

        cluster.up()
        kept = []
        filler = fill(small_disk)
        with pytest.raises(urllib.error.HTTPError) as refused:
            while len(kept) < 1000:  # there is room in what the store has already
                name = f"note-{len(kept)}"
                api("POST", CONFIGMAPS, {"metadata": {"name": name}, "data": {"text": "x" * 50_000}})
                kept.append(name)
        assert refused.value.code == 500
        assert "the cluster's store cannot be used: database or disk is full" in json.load(refused.value)["message"]
        assert names_in(api) == kept

        os.kill(cluster.state.engine_pid(), signal.SIGKILL)
        filler.unlink()
        cluster.up()
        assert names_in(api) == kept
        api("POST", CONFIGMAPS, {"metadata": {"name": "note-more"}})
    finally:
        cluster.down()
    assert list((small_disk / "home").iterdir()) == []


def names_in(api: Api) -> list[str]:
    """The notes, in the order in which they were made."""
    notes = [item for item in api("GET", CONFIGMAPS)["items"] if item["metadata"]["name"].startswith("note-")]
    return [each["metadata"]["name"] for each in sorted(notes, key=lambda note: int(note["metadata"]["name"][5:]))]


@pytest.mark.parametrize("moment", ["it has its place", "its network begins"])
def test_an_engine_that_is_told_to_end_while_it_begins_leaves_nothing(cluster, eventually, moment) -> None:
    said: list[str] = []

    def start() -> None:
        try:
            cluster.up()
        except ClusterError as error:
            said.append(str(error))

    starting = threading.Thread(target=start)
    starting.start()
    engine = eventually(cluster.state.engine_pid)
    if moment == "its network begins":
        eventually(lambda: len(below(engine)) > 1)
    family = below(engine)
    os.kill(engine, signal.SIGTERM)
    starting.join()
    assert said and said[0].startswith("The engine ended while it was starting") and "\n" not in said[0]
    assert not [pid for pid in family if is_running(pid)]
    assert cluster.state.engine_pid() is None
    assert [
        mount for mount in Path("/proc/self/mounts").read_text().splitlines() if str(cluster.state.root) in mount
    ] == []


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
