"""What another user of the machine gets to see of a cluster: nothing."""

from __future__ import annotations

import ipaddress
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from kubelab.clusters.descendants import below
from kubelab.clusters.embedded import EmbeddedCluster

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

NAMESPACE = "/api/v1/namespaces/default"
PASSWORD = "a-word-that-is-nowhere-else"
LISTENING = "0A"


def pod_with_secret() -> dict:
    reference = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "key", "key": "password"}}}
    image = "registry.k8s.io/e2e-test-images/agnhost:2.53"
    container = {"name": "web", "image": image, "args": ["netexec", "--http-port=8080"], "env": [reference]}
    return {"metadata": {"name": "web"}, "spec": {"containers": [container]}}


def family_of(cluster: EmbeddedCluster) -> list[int]:
    pid = cluster.state.engine_pid()
    assert pid is not None
    return below(pid)


def addresses_of(family: list[int]) -> set[str]:
    """Where the family listens in the machine's own network (IPv4 and IPv6, TCP and UDP), as ``address:port``."""
    own = set()
    for pid in family:
        with suppress(OSError):
            for file in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    own.add(os.readlink(file))
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        path = Path(f"/proc/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            local, peer, state, inode = fields[1], fields[2], fields[3], fields[9]
            waits = state == LISTENING if table.startswith("tcp") else peer.endswith(":0000")
            if waits and f"socket:[{inode}]" in own:
                found.add(f"{_address(local)}:{int(local.rpartition(':')[2], 16)}")
    return found


def _address(local: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The kernel prints words of 32 bits in the machine's own order."""
    text = bytes.fromhex(local.rpartition(":")[0])
    words = [text[at : at + 4][::-1] for at in range(0, len(text), 4)]
    return ipaddress.ip_address(b"".join(words))


def test_nothing_of_a_cluster_is_for_other_users(cluster, api, eventually) -> None:
    cluster.up()
    api("POST", f"{NAMESPACE}/secrets", {"metadata": {"name": "key"}, "stringData": {"password": PASSWORD}})
    api("POST", f"{NAMESPACE}/pods", pod_with_secret())
    eventually(lambda: api("GET", f"{NAMESPACE}/pods/web")["status"].get("phase") == "Running")
    state, family = cluster.state, family_of(cluster)

    assert stat.S_IMODE(state.root.stat().st_mode) == 0o700
    for private in (state.token, state.kubeconfig, state.log, *state.root.glob("store*"), *state.pki.iterdir()):
        assert stat.S_IMODE(private.stat().st_mode) & 0o077 == 0, private

    listening = addresses_of(family)
    assert listening
    assert [each for each in listening if not each.startswith("127.")] == []

    token = state.token.read_text()
    for pid in family:  # a command line is everybody's to read
        with suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
            assert token not in line and PASSWORD not in line
            assert token not in Path(f"/proc/{pid}/environ").read_text(errors="replace")
