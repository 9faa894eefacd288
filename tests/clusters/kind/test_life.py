"""From `up` to `down`, with programs that record and answer in the place of Docker and kind."""

from __future__ import annotations

import json
import subprocess
import threading
from types import SimpleNamespace

import pytest

from kubelab.clusters import find
from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.cluster import KindCluster
from kubelab.clusters.kind.configuration import NODE_IMAGE
from kubelab.clusters.kind.program import Kind
from kubelab.engine.client.resources import NAMESPACES, PODS, SERVICES
from tests.clusters.kind.conftest import NODES


def test_up_again_makes_nothing_anew(up, programs):
    before = len(programs.calls)
    KindCluster("demo").up()
    asked = {call.split()[1] for call in programs.calls[before:]}
    assert asked <= {"ps", "info", "--version", "inspect"}


def test_up_starts_nodes_that_were_stopped(up, programs):
    path = programs.home / "state.json"
    state = json.loads(path.read_text())
    state["containers"]["demo-worker"]["running"] = False
    path.write_text(json.dumps(state))
    assert "demo-worker of 'demo' is stopped; `kubelab up --name demo` starts it" in up.status().detail
    KindCluster("demo").up()
    assert programs.called("docker start") == ["docker start demo-worker"]
    assert up.status().running


def test_a_strangers_cluster_is_never_touched(cluster, programs, tmp_path):
    config = tmp_path / "theirs.json"
    config.write_text(json.dumps({"nodes": [{"role": "control-plane"}]}))
    theirs = ("--name", "demo", "--config", config, "--kubeconfig", tmp_path / "kubeconfig")
    subprocess.run(["kind", "create", "cluster", *theirs], check=True)
    theirs = programs.containers
    with pytest.raises(ClusterError, match=r"'demo' already that kubelab did not make, and will not touch: .* another"):
        cluster.up()
    cluster.down()
    assert programs.containers == theirs
    assert not programs.called("kind delete")
    assert not cluster.state.root.exists()


def test_a_cluster_that_someone_made_anew_under_our_name_is_a_strangers(up, programs):
    path = programs.home / "state.json"
    state = json.loads(path.read_text())
    state["containers"]["demo-control-plane"]["id"] = "f" * 64
    path.write_text(json.dumps(state))
    assert not up.status().running
    with pytest.raises(ClusterError, match="did not make"):
        KindCluster("demo").up()
    up.down()
    assert "demo-control-plane" in programs.containers


def test_down_leaves_nothing_and_may_be_said_twice(up, programs):
    up.down()
    up.down()
    assert programs.containers == {}
    assert not up.state.root.exists()
    assert up.status().detail == "There is no cluster 'demo'; `kubelab up --name demo --on kind` makes one."


def test_a_failed_start_keeps_its_logs_and_says_where(cluster, programs, tmp_path):
    programs.kubernetes_does_not_come_up("[preflight] Some errors\nerror: could not write: no space left on device\n")
    with pytest.raises(ClusterError) as failure:
        cluster.up()
    sentence = str(failure.value)
    assert sentence.startswith(
        "kind could not create the cluster: failed to create cluster: failed to init node with kubeadm: "
        "`docker exec …` failed: could not write: no space left on device (kind's own words are in"
    )
    (folder,) = (tmp_path / "home" / ".evidence").iterdir()
    assert f"Logs are kept in {folder};" in sentence
    assert str(folder / "kind.log") in sentence
    assert "no space left on device" in (folder / "kind.log").read_text()
    assert sorted(log.parent.name for log in folder.glob("*/kubelet.log")) == NODES
    assert programs.containers == {}
    assert not cluster.state.root.exists()


def test_what_the_engine_said_is_told_and_no_node_is_left_when_it_has_no_control_plane(cluster, programs):
    """Nodes are made beside each other: the workers are there when the control plane could not be made."""
    programs.kubernetes_does_not_come_up("")
    really = Kind.export_logs

    def without_a_control_plane(kind, name, folder):
        subprocess.run(["docker", "rm", f"{name}-control-plane"], check=True)
        return really(kind, name, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kind, "export_logs", without_a_control_plane)
        with pytest.raises(ClusterError, match="kind could not create the cluster"):
            cluster.up()
    assert programs.containers == {}


def test_kinds_steps_are_told_while_it_is_at_them(programs, api):
    said: list[str] = []
    KindCluster("demo", say=said.append).up()
    assert [each for each in said if each.startswith("kind: ")] == [
        "kind: Ensuring node image (kindest/node:v1.36.4)",
        "kind: Preparing nodes",
        "kind: Writing configuration",
        "kind: Starting control-plane",
        "kind: Installing CNI",
        "kind: Installing StorageClass",
        "kind: Joining worker nodes",
    ]


def test_images_come_into_the_nodes_while_kind_is_at_its_last_steps(cluster, programs, monkeypatch):
    loaded = threading.Event()
    create, load = Kind.create, Kind.load

    def creates(self, *arguments):
        create(self, *arguments)
        assert loaded.wait(60)  # and only now kind has ended

    def loads(self, *arguments):
        load(self, *arguments)
        loaded.set()

    monkeypatch.setattr(Kind, "create", creates)
    monkeypatch.setattr(Kind, "load", loads)
    cluster.up()
    assert len(programs.called("kind load")) == 1
    assert sorted(programs.loaded) == ["demo-control-plane", "demo-worker", "demo-worker2"]
    assert not (cluster.state.root / "images.tar").exists()


def test_images_that_could_not_be_loaded_beside_kind_are_loaded_after_it(cluster, programs, monkeypatch):
    attempts, load = [], Kind.load

    def loads(self, *arguments):
        attempts.append(arguments)
        if len(attempts) == 1:
            raise ClusterError("the nodes have too much to do")
        load(self, *arguments)

    monkeypatch.setattr(Kind, "load", loads)
    cluster.up()
    assert len(attempts) == 2 and len(programs.loaded) == 3
    assert "ingress" in cluster.capabilities


def test_an_interrupted_start_leaves_no_half_made_cluster(cluster, programs, monkeypatch):
    """Nor what the engine makes late, for a kind that is no more."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    def late(seconds: float) -> None:
        assert programs.containers == {}
        run = (
            "docker",
            "run",
            "--detach",
            "--name",
            "demo-worker",
            "--label",
            "io.x-k8s.kind.cluster=demo",
            NODE_IMAGE,
        )
        subprocess.run(run, check=True)

    monkeypatch.setattr("kubelab.clusters.kind.making.time", SimpleNamespace(sleep=late))
    monkeypatch.setattr(cluster._maker, "await_nodes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cluster.up()
    assert programs.containers == {}
    assert not cluster.state.root.exists()


def test_a_start_that_was_killed_is_made_anew(cluster, programs, monkeypatch):
    monkeypatch.setattr(cluster._maker, "await_nodes", lambda: 1 // 0)
    monkeypatch.setattr(cluster._maker, "delete", lambda _: None)
    monkeypatch.setattr(cluster.state, "clean", lambda: None)
    with pytest.raises(ZeroDivisionError):
        cluster.up()
    assert "was never finished" in KindCluster("demo").status().detail
    KindCluster("demo").up()
    assert len(programs.called("kind create")) == 2
    assert len(programs.called("kind delete")) == 1


def test_an_outside_that_has_ended_is_started_again(up, programs):
    subprocess.run(["docker", "rm", "demo-outside"], check=True)
    KindCluster("demo").up()
    assert "demo-outside" in programs.containers
    assert len(programs.called("docker build")) == 1


def test_an_up_that_was_interrupted_late_is_finished_by_the_next(cluster, programs, monkeypatch):
    monkeypatch.setattr(cluster._maker, "_start_outside", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        cluster.up()
    assert cluster.status().running
    assert "without the outside: its start was interrupted" in cluster.status().detail
    KindCluster("demo", retry=True).up()
    assert {"ingress", "outside client"} <= cluster.capabilities
    assert len(programs.called("kind create")) == 1


def test_without_its_image_the_cluster_comes_up_and_says_what_it_lacks(cluster, programs):
    programs.answer(("^docker build", 1, "", "failed to fetch: no such host\n"))
    cluster.up()
    detail = cluster.status().detail
    assert "without the outside: Building the image kubelab.dev/ingress-controller" in detail
    assert "no such host" in detail
    assert not {"ingress", "outside client"} & cluster.capabilities
    with pytest.raises(ClusterError, match=r"no client outside \(Building .*; `kubelab up` tries again"):
        cluster.outside  # noqa: B018
    tried = len(programs.called("docker build"))
    KindCluster("demo").up()
    assert len(programs.called("docker build")) == tried  # a notebook does not wait for it
    programs.answer()
    KindCluster("demo", retry=True).up()
    assert "without" not in cluster.status().detail
    assert {"ingress", "outside client"} <= cluster.capabilities


def test_a_failed_start_leaves_nothing_on_a_nerdctl_that_tells_no_host_config(programs, api, monkeypatch):
    programs.install("nerdctl")
    programs.answer(("inspect .*HostConfig", 1, "", "template: :1:7: can't evaluate field HostConfig\n"))
    programs.kubernetes_does_not_come_up("")
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "nerdctl")
    with pytest.raises(ClusterError, match="kind could not create the cluster"):
        KindCluster("demo").up()
    assert programs.containers == {}


def test_reset_deletes_what_the_learner_made_only(up, api):
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "python:3.12"}]}}
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    for namespace in ("shop", "local-path-storage"):
        api.do(api.client.create(NAMESPACES, {"metadata": {"name": namespace}}))
        api.do(api.client.create(SERVICES, service, namespace))
    api.do(api.client.create(PODS, pod, "default"))
    api.do(api.client.delete(SERVICES, "kubelab-ingress-doors", "kubelab-ingress"))
    api.server.jobs = frozenset({"tick"})
    up.reset()
    assert not api.server.jobs
    names = {each["metadata"]["name"] for each in api.do(api.client.list(NAMESPACES))["items"]}
    assert "shop" not in names
    assert {"default", "kube-system", "kubelab-ingress", "local-path-storage"} <= names
    assert api.do(api.client.list(PODS, "default"))["items"] == []
    assert api.do(api.client.get(SERVICES, "web", "local-path-storage"))
    doors = api.do(api.client.get(SERVICES, "kubelab-ingress-doors", "kubelab-ingress"))
    assert [port["nodePort"] for port in doors["spec"]["ports"]] == [30080, 30443]
    assert up.status().running


def test_what_a_cluster_is_on_is_remembered_until_down(up, monkeypatch):
    assert isinstance(find("demo"), KindCluster)
    with pytest.raises(ClusterError, match="'demo' is on kind: `kubelab down --name demo` takes"):
        find("demo", "embedded")
    up.down()
    assert find("demo").provider == "embedded"
    monkeypatch.setenv("KUBELAB_ON", "kind")
    assert find("demo").provider == "kind"
    monkeypatch.setenv("KUBELAB_ON", "moon")
    with pytest.raises(ClusterError, match="no clusters on 'moon', only on embedded, kind"):
        find("demo")


@pytest.mark.parametrize("asked", ["nodes", "reset", "capabilities", "loopback", "proxy_mode"])
def test_without_a_cluster_everything_says_how_to_get_one(cluster, asked):
    with pytest.raises(ClusterError, match="There is no cluster 'demo'; `kubelab up --name demo --on kind` makes one"):
        found = getattr(cluster, asked)
        found()
