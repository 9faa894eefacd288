"""The real kind over engines that only answer: what it takes from us, calls, says, and leaves behind.

Its containers are entries in a file and Kubernetes is our own API server; everything between `KindCluster` and the
command lines of the engine is kind's own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.cluster import KindCluster
from kubelab.clusters.kind.configuration import NODE_IMAGE, configuration
from kubelab.clusters.kind.containers import LIMITS, find_engine
from kubelab.clusters.kind.image import LESSON_IMAGES, OWN_IMAGE
from kubelab.clusters.kind.preflight import Machine, examine
from kubelab.clusters.kind.program import OLDEST, version_in
from tests.clusters.kind.conftest import INFO, NODES, PODMAN_INFO, Programs, machine_with

REAL = shutil.which("kind") or ""
VERSION = version_in(subprocess.run([REAL, "version"], capture_output=True, text=True).stdout) if REAL else ()
pytestmark = [
    pytest.mark.skipif(not REAL, reason="kind is not on PATH"),
    pytest.mark.skipif(bool(REAL) and VERSION < OLDEST, reason=f"{REAL} is older than 0.33"),
]
GIVEN = {"nodes": [{"role": "control-plane", "image": NODE_IMAGE}, {"role": "worker", "image": NODE_IMAGE}]}


@pytest.fixture
def real(programs, api) -> Programs:
    """A machine with the real kind."""
    programs.install_real(REAL)
    programs.api_is_on(api.port)
    return programs


@pytest.mark.parametrize(("engine", "mode"), [("docker", "iptables"), ("podman", "nftables"), ("nerdctl", "ipvs")])
def test_it_makes_our_cluster_on_every_engine_and_leaves_the_users_own_alone(real, engine, mode, monkeypatch, tmp_path):
    real.install(engine)
    real.info(PODMAN_INFO if engine == "podman" else INFO)
    theirs = tmp_path / "theirs"
    theirs.write_text("not: ours\n")
    for name, value in {
        "KIND_EXPERIMENTAL_PROVIDER": engine, "KUBECONFIG": str(theirs), "KIND_CLUSTER_NAME": "theirs",
        "HTTPS_PROXY": "http://proxy.corp.test:3128", "NO_PROXY": "127.0.0.1,localhost",
        "KIND_EXPERIMENTAL_DOCKER_NETWORK": "course",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    said: list[str] = []
    cluster = KindCluster("demo", proxy_mode=mode, say=said.append)
    cluster.up()
    assert cluster.status().running, cluster.status().detail
    assert "without" not in cluster.status().detail
    assert [node.name for node in cluster.nodes()] == NODES
    assert {"kind: Preparing nodes", "kind: Joining worker nodes"} <= set(said)
    assert real.loaded == {node: [*LESSON_IMAGES, OWN_IMAGE] for node in NODES}
    assert oct(cluster.kubeconfig.stat().st_mode & 0o777) == "0o600"
    _look_at_what_kubeadm_is_told(real, mode)
    _look_at_the_containers(real, engine, cluster)

    cluster.logs(tmp_path / "logs")
    assert "kubelet.service of demo-worker2" in (tmp_path / "logs" / "demo-worker2" / "kubelet.log").read_text()
    cluster.down()
    assert (real.containers, real.volumes) == ({}, {})
    assert theirs.read_text() == "not: ours\n"


def _look_at_what_kubeadm_is_told(programs: Programs, mode: str) -> None:
    text = (programs.home / "nodes" / "demo-control-plane" / "kind" / "kubeadm.conf").read_text()
    told = {each["kind"]: each for each in yaml.safe_load_all(text)}
    assert told["KubeProxyConfiguration"]["mode"] == mode
    assert told["ClusterConfiguration"]["networking"] == {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16"}
    assert "127.0.0.1" in told["ClusterConfiguration"]["apiServer"]["certSANs"]


def _look_at_the_containers(programs: Programs, engine: str, cluster: KindCluster) -> None:
    made = {each.split("--name ")[1].split()[0]: each for each in programs.called(f"{engine} run --name demo-")}
    assert sorted(made) == NODES
    for each in made.values():
        assert " -e KIND_DNS_SEARCH= " in each
        assert NODE_IMAGE.partition("@")[2] in each
        assert " -e HTTPS_PROXY=http://proxy.corp.test:3128 " in each
        directly = each.split(" -e NO_PROXY=")[1].split()[0].split(",")  # nodes reach each other without the proxy
        assert {"172.18.0.0/16", "127.0.0.1", *NODES, ".svc", "10.96.0.0/16", "10.244.0.0/16"} <= set(directly)
    assert f" --network {'course' if engine == 'docker' else 'kind'} " in programs.called(f"{engine} run --detach")[0]
    published = [word for word in made["demo-control-plane"].split() if word.startswith("--publish=")]
    assert sorted(each.lower().rpartition(":")[2] for each in published) == ["30080/tcp", "30443/tcp", "6443/tcp"]
    assert all(each.startswith("--publish=127.0.0.1:") for each in published)
    assert {str(port) for port in cluster.loopback.values()} == {each.split(":")[1] for each in published[:2]}


def test_what_kubeadm_said_is_told_and_the_logs_are_kept(real, tmp_path):
    real.kubernetes_does_not_come_up("error: error execution phase preflight: no space left on device\n")
    with pytest.raises(ClusterError, match=r"with kubeadm: `docker exec …` failed: .* preflight: no space left on dev"):
        KindCluster("demo").up()
    (folder,) = (tmp_path / "home" / ".evidence").iterdir()
    assert sorted(each.parent.name for each in folder.glob("*/kubelet.log")) == NODES
    assert " ✗ Starting control-plane" in (folder / "kind.log").read_text()
    assert real.containers == {}


def test_a_port_that_was_taken_in_between_is_named_and_nothing_is_left(real, monkeypatch, tmp_path):
    monkeypatch.setattr("kubelab.clusters.kind.making.free_ports", lambda: {80: 40080, 443: 40443})
    (real.home / "taken.json").write_text("[40443]")
    with pytest.raises(ClusterError, match=r"`docker run …` failed: .*127\.0\.0\.1:40443 failed: port is already all"):
        KindCluster("demo").up()
    assert real.containers == {}
    (folder,) = (tmp_path / "home" / ".evidence").iterdir()
    assert (folder / "demo-worker" / "kubelet.log").exists()  # of those that run; kind says what it could not have


def test_without_a_choice_it_takes_the_engine_that_we_take(real):
    (real.path / "docker").unlink()
    real.install("nerdctl", "podman")
    ours = find_engine().name
    before = len(real.calls)
    assert kind("get", "clusters").returncode == 0
    assert [call.split()[0] for call in real.calls[before:] if " ps " in call] == [ours]


@pytest.mark.parametrize("can", [["cpu", "memory", "pids"], ["memory", "pids"], []])
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_without_root_it_refuses_what_we_refuse_before(real, monkeypatch, engine, can):
    """kind looks at the engine first and at the name second, so that with a bad name it makes nothing."""
    real.install(engine)
    limits = {limit: name in can for name, limit in LIMITS.items()}
    real.info({**INFO, **limits, "SecurityOptions": ["name=rootless"]})
    if engine == "podman":
        real.info({**PODMAN_INFO, "host": {**PODMAN_INFO["host"], "cgroupControllers": can}})
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", engine)
    refused = "Delegate=yes" in kind("create", "cluster", "--name", "BAD").stderr
    ours = [each for each in examine(find_engine(), Machine()) if each.name == "rootless" and each.verdict == "bad"]
    assert bool(ours) == refused == (len(can) < 3)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, ""),
        ({"networking": {"kubeProxyMode": "userspace"}}, "invalid kubeProxyMode: userspace"),
        ({"registry": "mine"}, "field registry not found in type v1alpha4.Cluster"),
        ({"name": "De_mo"}, "is not a valid cluster name"),
    ],
)
def test_it_reads_our_configuration_strictly(real, tmp_path, change, refusal):
    """The same configuration passes, and what it does not know does not: so what passes was understood."""
    config, kubeconfig = tmp_path / "config.json", tmp_path / "kubeconfig"
    config.write_text(json.dumps(configuration("demo", "nftables", {80: 40080, 443: 40443}) | change))
    done = kind("create", "cluster", "--config", config, "--kubeconfig", kubeconfig)
    assert (done.returncode, refusal in done.stderr) == (1 if refusal else 0, True), done.stderr


def kind(*argv: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kind", *map(str, argv)], capture_output=True, text=True, timeout=60)


def conversation(folder: Path) -> list[tuple[str, int, list[str], list[str]]]:
    """What kind, real or not, says to all that we may tell it: command, code, lines of stdout and of stderr."""
    cluster = ("--name", "demo")
    create = ("create", "cluster", *cluster, "--kubeconfig", folder / "kubeconfig", "--config")
    config, archive, fails = folder / "config.json", folder / "images.tar", folder / "fakes" / "fails"
    config.write_text(json.dumps({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", **GIVEN}))
    archive.write_text("images")
    (folder / "fakes" / "kubeconfig").write_text(json.dumps({
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "a", "user": {}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }))  # fmt: skip
    on_nothing = [
        ("get", "clusters"),
        ("get", "nodes", *cluster),
        ("export", "logs", folder / "logs", *cluster),
        ("load", "image-archive", folder / "absent.tar", *cluster),
        ("load", "image-archive", archive, *cluster),
        ("delete", "cluster", *cluster, "--kubeconfig", folder / "kubeconfig"),
        (*create, folder / "absent.json"),
        ("create", "cluster", "--name", "De_mo", "--config", config),
        (*create, config, "--wait=180"),
        (*create, config, "--no-such-flag"),
        ("no-such-command",),
    ]
    on_a_cluster = [
        (*create, config, "--retain"),
        (*create, config, "--retain"),
        ("get", "clusters"),
        ("get", "nodes", *cluster),
        ("load", "image-archive", archive, *cluster),
        ("export", "logs", folder / "logs", *cluster),
        ("delete", "cluster", *cluster, "--kubeconfig", folder / "kubeconfig"),
    ]
    failing = [(*create, config), ("get", "clusters"), (*create, config, "--retain"), ("get", "clusters")]
    heard = []
    for commands, why in ((on_nothing, ""), (on_a_cluster, ""), (failing, "error: no kubelet\n")):
        if why:
            fails.write_text(why)
        for command in commands:
            done = kind(*command)
            said = (" ".join(map(str, command)), done.stdout, done.stderr)
            asked, out, err = (text.replace(str(folder), "") for text in said)
            heard.append((asked, done.returncode, sorted(out.splitlines()), _without_what_varies(err)))
    return heard


def _without_what_varies(said: str) -> list[str]:
    """Not compared are kind's farewell, the order of nodes, and what kubeadm itself said."""
    lines = said.partition("Set kubectl context")[0].partition("Command Output")[0].splitlines()
    return [" ".join(sorted(line.strip("]").replace("[", " ").split())) for line in lines if line]


def test_the_kind_of_our_tests_says_what_the_real_one_says(tmp_path):
    """Two machines, one with each; the engine is the same."""
    heard = {}
    for which in ("real", "ours"):
        folder = tmp_path / which
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            programs = machine_with(folder, patch)
            if which == "real":
                programs.install_real(REAL)
            heard[which] = conversation(folder)
    for real, ours in zip(heard["real"], heard["ours"], strict=True):
        assert ours == real
