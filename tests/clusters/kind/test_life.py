"""From `up` to `down`, with programs that record and answer in the place of Docker and kind."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import kubelab
from kubelab.clusters import find
from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.cluster import KindCluster
from kubelab.clusters.kind.configuration import NODE_IMAGE
from kubelab.clusters.kind.image import LESSON_IMAGES, OWN_IMAGE
from kubelab.clusters.kind.program import Kind
from kubelab.engine.client.resources import NAMESPACES, PODS, SERVICES
from tests.clusters.kind.conftest import PODMAN_INFO


def test_up_makes_three_nodes_with_everything_a_lesson_needs(up, programs):
    assert [node.name for node in up.nodes()] == ["demo-control-plane", "demo-worker", "demo-worker2"]
    assert up.outside.name == "outside"
    assert {call.split()[-1] for call in programs.called("docker pull")} == {NODE_IMAGE, *LESSON_IMAGES}
    assert (programs.home / "loaded").read_text().split() == [*LESSON_IMAGES, OWN_IMAGE]
    assert not (up.state.root / "images.tar").exists()
    (created,) = programs.called("kind create cluster")
    assert f"--kubeconfig {up.kubeconfig}" in created  # the user's own stays as it is
    assert "--retain" in created
    assert up.status().running
    assert "on kind, 3 nodes in Docker" in up.status().detail


def test_kind_is_told_the_lessons_cluster(up):
    config = json.loads((up.state.root / "kind-config.json").read_text())
    assert (config["apiVersion"], config["name"]) == ("kind.x-k8s.io/v1alpha4", "demo")
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    assert all(node["image"] == NODE_IMAGE for node in config["nodes"])
    assert NODE_IMAGE.startswith("kindest/node:v1.36.") and "@sha256:" in NODE_IMAGE
    networking = config["networking"]
    assert networking["dnsSearch"] == []
    assert networking["kubeProxyMode"] == "iptables"
    assert networking["apiServerAddress"] == "127.0.0.1"
    assert {each["listenAddress"] for each in config["nodes"][0]["extraPortMappings"]} == {"127.0.0.1"}


def test_the_ingress_is_at_the_mapped_ports(up):
    config = json.loads((up.state.root / "kind-config.json").read_text())
    mapped = {each["containerPort"]: each["hostPort"] for each in config["nodes"][0]["extraPortMappings"]}
    assert up.loopback == {80: mapped[30080], 443: mapped[30443]}


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
    said = "Creating cluster ...\nERROR: failed to create cluster: no space left on device\nStack Trace:\nmain.go:1\n"
    programs.answer(("^kind create", 1, "", said))
    with pytest.raises(ClusterError) as failure:
        cluster.up()
    sentence = str(failure.value)
    assert sentence.startswith("kind could not create the cluster: failed to create cluster: no space left on device (")
    (folder,) = (tmp_path / "home" / ".evidence").iterdir()
    assert f"Logs are kept in {folder};" in sentence
    assert str(folder / "kind.log") in sentence
    assert "no space left on device" in (folder / "kind.log").read_text()
    assert (folder / "demo" / "kubelet.log").exists()
    assert not cluster.state.root.exists()


def test_an_interrupted_start_leaves_no_half_made_cluster(cluster, programs, monkeypatch):
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "_await_nodes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cluster.up()
    assert programs.containers == {}
    assert not cluster.state.root.exists()


def test_a_start_that_was_killed_is_made_anew(cluster, programs, monkeypatch):
    monkeypatch.setattr(cluster, "_await_nodes", lambda: 1 // 0)
    monkeypatch.setattr(cluster, "_delete", lambda _: None)
    monkeypatch.setattr(cluster.state, "clean", lambda: None)
    with pytest.raises(ZeroDivisionError):
        cluster.up()
    assert "was never finished" in KindCluster("demo").status().detail
    KindCluster("demo").up()
    assert len(programs.called("kind create")) == 2
    assert len(programs.called("kind delete")) == 1


def test_an_up_that_was_interrupted_late_is_finished_by_the_next(cluster, programs, monkeypatch):
    monkeypatch.setattr(cluster, "_start_outside", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        cluster.up()
    assert cluster.status().running
    assert "without the outside: its start was interrupted" in cluster.status().detail
    KindCluster("demo").up()
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
    programs.answer()
    KindCluster("demo").up()
    assert "without" not in cluster.status().detail
    assert {"ingress", "outside client"} <= cluster.capabilities


def test_images_that_do_not_fit_into_one_archive_are_left_to_the_nodes(cluster, programs, monkeypatch):
    said: list[str] = []
    cluster = KindCluster("demo", say=said.append)
    loads = iter([ClusterError("kind could not load: content digest: not found."), None])
    really = Kind.load

    def load(kind, name, archive):
        if failure := next(loads):
            raise failure
        really(kind, name, archive)

    monkeypatch.setattr(Kind, "load", load)
    cluster.up()
    assert any(each.startswith("kind could not load: content digest: not found; the nodes will fetch") for each in said)
    assert (programs.home / "loaded").read_text().split() == [OWN_IMAGE]
    assert "ingress" in cluster.capabilities


def test_podman_gets_names_and_archives_its_own_way(programs, api, monkeypatch):
    programs.install("podman")
    programs.info(PODMAN_INFO)
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    KindCluster("demo").up()
    assert any(call.startswith("podman pull --quiet docker.io/kindest/node@sha256:") for call in programs.calls)
    (saved,) = programs.called("podman save")
    assert "--multi-image-archive" in saved
    monkeypatch.delenv("KIND_EXPERIMENTAL_PROVIDER")
    assert KindCluster("demo").engine.name == "podman"  # the cluster's own, whatever else works
    assert not programs.called("docker")


def test_capabilities_are_what_the_nodes_have(up, programs):
    for tool in ("iptables-save", "curl", "crictl"):
        programs.tool(tool, "exit 0")
    can = up.capabilities
    assert {"several nodes", "node shell", "kernel rules", "switch proxy mode", "ingress", "outside client"} <= can


def test_the_load_balancer_is_told_of_the_api_out_of_sight(up, programs):
    told = dict(line.split("=", 1) for line in (programs.home / "environment").read_text().splitlines())
    assert told["KUBELAB_SERVER"] == "https://demo-control-plane:6443"
    assert told["KUBELAB_TOKEN"]
    assert not any(told["KUBELAB_TOKEN"] in call for call in programs.calls)
    assert not any("/var/run" in call for call in programs.calls)  # nobody gets the engine's socket


def test_the_image_has_the_package_and_no_secrets_of_the_machine(up, programs):
    packed = json.loads((programs.home / "context.json").read_text())
    assert "kubelab/engine/ingress/__main__.py" in packed
    assert all(path.startswith("kubelab/") for path in packed)
    assert (programs.home / "Dockerfile").read_text().startswith("FROM docker.io/library/python:3.12\n")


def test_every_image_of_a_lesson_is_loaded_beforehand():
    package = Path(kubelab.__file__).parent
    every = [path for folder in ("course", "lab") for path in (package / folder).rglob("*")]
    files = [path for path in every if path.suffix in (".yaml", ".py")]
    used = {found for path in files for found in re.findall(r"""image["']?: ["']?([a-z0-9./:-]+)""", path.read_text())}
    assert {f"docker.io/library/{each}" for each in used} <= set(LESSON_IMAGES)


def test_reset_deletes_what_the_learner_made_only(up, api):
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "python:3.12"}]}}
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    for namespace in ("shop", "local-path-storage"):
        api.do(api.client.create(NAMESPACES, {"metadata": {"name": namespace}}))
        api.do(api.client.create(SERVICES, service, namespace))
    api.do(api.client.create(PODS, pod, "default"))
    api.do(api.client.delete(SERVICES, "kubelab-ingress-doors", "kubelab-ingress"))
    up.reset()
    names = {each["metadata"]["name"] for each in api.do(api.client.list(NAMESPACES))["items"]}
    assert "shop" not in names
    assert {"default", "kube-system", "kubelab-ingress", "local-path-storage"} <= names
    assert api.do(api.client.list(PODS, "default"))["items"] == []
    assert api.do(api.client.get(SERVICES, "web", "local-path-storage"))
    doors = api.do(api.client.get(SERVICES, "kubelab-ingress-doors", "kubelab-ingress"))
    assert [port["nodePort"] for port in doors["spec"]["ports"]] == [30080, 30443]
    assert up.status().running


def test_logs_are_exported_where_one_says(up, tmp_path):
    up.logs(tmp_path / "logs")
    assert (tmp_path / "logs" / "demo" / "kubelet.log").read_text() == "it was the disk\n"


def test_what_a_cluster_is_on_is_remembered_until_down(up, monkeypatch):
    assert isinstance(find("demo"), KindCluster)
    with pytest.raises(ClusterError, match="'demo' is on kind: `kubelab down` takes it away"):
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
