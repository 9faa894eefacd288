"""What another user of the machine gets to see of a cluster, whoever runs it: nothing. Nor does the network."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubelab.clusters.descendants import below
from kubelab.engine.state import StateDir

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

STRANGER = Path(__file__).with_name("stranger.py")
STRANGERS_UID = 51235
PASSWORD = secrets.token_urlsafe()
"""It is nowhere else."""
EVERYBODYS = ("/tmp", "/var/tmp", "/dev/shm", "/run")
LISTENING = "0A"

TELL = "import os, time; print(os.environ['PASSWORD'], flush=True); time.sleep(3600)"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "python:3.12",
                "command": ["python3", "-c", TELL],
                "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "key", "key": "password"}}}],
                "volumeMounts": [{"name": "key", "mountPath": "/key"}, {"name": "own", "mountPath": "/own"}],
            }
        ],
        "volumes": [{"name": "key", "secret": {"secretName": "key"}}, {"name": "own", "emptyDir": {}}],
    },
}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"password": PASSWORD}}
SPREAD = """
import json, sys
from kubelab.clusters import find
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi

cluster = find()
lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "privacy")
lab.apply(json.loads(sys.argv[1]))
lab.wait("pod/web")
done = lab.exec("web", ["sh", "-c", "cp /key/password /tmp/copy && cp /key/password /own/copy"])
assert done.code == 0, done
assert lab.logs("web"), "it has said nothing"
if "ingress" in cluster.capabilities:
    Lab(cluster, lab.api, "kubelab-ingress").wait("deployment/kubelab-ingress-controller")
print(json.dumps({"pid": cluster.facts()["pid"], "root": str(cluster.state.root)}))
"""
"""A password goes wherever one does: into an environment, a volume, a log, a pod's own /tmp."""


@dataclass(frozen=True)
class Running:
    """A cluster with a password in it."""

    state: StateDir
    owner: int
    family: list[int]
    since: float


@pytest.fixture(scope="module")
def running(cluster):
    since = time.time() - 60
    spread = cluster.run("-c", SPREAD, json.dumps([SECRET, POD]))
    assert spread.returncode == 0, spread.stdout
    said = json.loads(spread.stdout.splitlines()[-1])
    state = StateDir(Path(said["root"]))
    yield Running(state, os.stat(state.root).st_uid, below(said["pid"]), since)
    cluster.kubelab("reset")


def ask(python: Path, **about: Any) -> list[str]:
    """What a stranger finds."""
    command = ["setpriv", f"--reuid={STRANGERS_UID}", f"--regid={STRANGERS_UID}", "--clear-groups", "--inh-caps=-all"]
    asked = {"paths": [], "pids": [], "sockets": [], "secrets": [], "folders": [], "owner": 0, "since": 0} | about
    done = subprocess.run(
        [*command, str(python), "-IS", "-c", STRANGER.read_text()], input=json.dumps(asked), capture_output=True,
        text=True, timeout=120, cwd="/",
    )  # fmt: skip
    assert done.stderr == ""
    found: list[str] = json.loads(done.stdout)
    return found


def sockets_of(pids: list[int]) -> list[str]:
    """The inodes of what they have open."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            for file in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    found.add(os.readlink(file))
    return [link[len("socket:[") : -1] for link in found if link.startswith("socket:[")]


def secrets_of(state: StateDir) -> list[str]:
    """The password, every token, and a line of every key."""
    keys = [file.read_text().splitlines()[1] for file in state.pki.glob("*.key")]
    tokens = {file.read_text() for file in state.volumes.rglob("token")}
    assert len(keys) > 3 and tokens
    return [PASSWORD, state.token.read_text(), *tokens, *keys]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_another_user_reads_nothing_and_reaches_no_socket(running, plain_python):
    state = running.state
    paths = [str(path) for path in (state.root, *state.root.rglob("*"))]
    assert str(state.control) in paths and any(path.endswith("/copy") for path in paths)
    assert len(running.family) > 4
    found = ask(
        plain_python, paths=paths, pids=running.family, sockets=sockets_of(running.family), secrets=secrets_of(state),
        folders=EVERYBODYS, owner=running.owner, since=running.since,
    )  # fmt: skip
    assert found == []


def test_what_is_secret_is_its_owners_alone_even_in_a_directory_that_is(running):
    state = running.state
    assert stat.S_IMODE(state.root.stat().st_mode) == 0o700
    private = (state.token, state.kubeconfig, state.log, state.control, *state.root.glob("store*"))
    for path in (*private, *state.pki.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_nothing_listens_but_on_loopback(running):
    """TCP and UDP, of the machine's own network; what pods and nodes have in theirs is nobody's but the cluster's."""
    found = addresses_of(running.family)
    assert found
    assert [f"{ip}:{port}" for ip, port in found if not ip.is_loopback] == []


def addresses_of(family: list[int]) -> list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    """Where the family can be reached."""
    own, found = set(sockets_of(family)), []
    for table in ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6"):
        path = Path(f"/proc/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            local, peer, state, inode = fields[1], fields[2], fields[3], fields[9]
            waits = state == LISTENING if table.startswith("tcp") else peer.endswith(":0000")
            if waits and inode in own:
                found.append((_address(local), int(local.rpartition(":")[2], 16)))
    return found


def _address(local: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The kernel prints words of 32 bits in the machine's own order."""
    text = bytes.fromhex(local.rpartition(":")[0])
    words = [text[at : at + 4][::-1] for at in range(0, len(text), 4)]
    found = ipaddress.ip_address(b"".join(words))
    return getattr(found, "ipv4_mapped", None) or found


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
def test_the_stranger_would_have_found_it(tmp_path, open_ground, plain_python):
    """Each kind of hole, made on purpose."""
    about, shown = open_ground / "about", open_ground / "shown"
    about.mkdir()
    about.chmod(0o755)
    (about / "note").write_text(PASSWORD)
    shown.mkdir()
    shown.chmod(0o755)
    talker = [sys.executable, "-c", "import sys; sys.stdin.read()", PASSWORD]
    with (
        socket.socket(socket.AF_UNIX) as open_to_all,
        socket.socket(socket.AF_UNIX) as abstract,
        subprocess.Popen(talker, stdin=subprocess.PIPE) as process,
    ):
        open_to_all.bind(str(shown / "control.sock"))
        (shown / "control.sock").chmod(0o777)
        abstract.bind(f"\0kubelab-{os.getpid()}")
        for each in (open_to_all, abstract):
            each.listen()
        found = ask(
            plain_python, paths=[str(path) for path in (shown, *shown.iterdir(), about / "note", tmp_path)],
            pids=[process.pid], sockets=[str(os.fstat(abstract.fileno()).st_ino)], secrets=[PASSWORD],
            folders=[str(about)], owner=os.getuid(),
        )  # fmt: skip
        process.communicate()
    assert [each.replace(str(open_ground), "") for each in found] == [
        "the directory /shown shows ['control.sock']",
        "the socket /shown/control.sock takes connections",
        "the file /about/note can be read",
        f"/proc/{process.pid}/cmdline tells a secret: {chr(0).join(talker).encode() + bytes(1)!r}",
        "/about/note tells a secret",
        f"the socket @kubelab-{os.getpid()} takes connections",
    ]
