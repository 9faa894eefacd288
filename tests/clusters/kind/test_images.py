"""Images on their way from the engine into the nodes, each engine in its own way."""

from __future__ import annotations

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.cluster import KindCluster
from kubelab.clusters.kind.configuration import NODE_IMAGE
from kubelab.clusters.kind.image import LESSON_IMAGES, OWN_IMAGE
from kubelab.clusters.kind.program import Kind
from tests.clusters.kind.conftest import INFO, NODES, PODMAN_INFO

IN_CONTAINERD = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]], "Architecture": "aarch64"}


def test_images_that_do_not_fit_into_one_archive_are_left_to_the_nodes(cluster, programs, monkeypatch):
    said: list[str] = []
    cluster = KindCluster("demo", say=said.append)
    really = Kind.load

    def load(kind, name, archive):
        if LESSON_IMAGES[0] in archive.read_text():
            raise ClusterError("kind could not load: content digest: not found.")
        really(kind, name, archive)

    monkeypatch.setattr(Kind, "load", load)
    cluster.up()
    assert any(each.startswith("kind could not load: content digest: not found; the nodes will fetch") for each in said)
    assert programs.loaded == {node: [OWN_IMAGE] for node in NODES}
    assert "ingress" in cluster.capabilities


@pytest.mark.parametrize(("version", "saved"), [("29.1.3", ["--platform=linux/arm64"]), ("27.5.1", ["--output"])])
def test_a_docker_that_keeps_one_of_several_platforms_is_asked_for_this_one(programs, api, version, saved):
    """kind imports all platforms that an archive names."""
    programs.info({**INFO, **IN_CONTAINERD, "ServerVersion": version})
    KindCluster("demo").up()
    assert [call.split()[2] for call in programs.called("docker save")] == saved


def test_where_one_platform_cannot_be_saved_alone_the_image_is_saved_as_it_is(cluster, programs):
    programs.info({**INFO, **IN_CONTAINERD, "ServerVersion": "29.1.3"})
    programs.answer(("docker save --platform", 1, "", "Error response from daemon: no suitable export target found\n"))
    cluster.up()
    assert [call.split()[2] for call in programs.called("docker save")] == ["--platform=linux/arm64", "--output"]
    assert programs.loaded == {node: [*LESSON_IMAGES, OWN_IMAGE] for node in NODES}


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


def test_nerdctl_gets_the_name_that_kind_looks_for_and_the_network_that_it_does_not_tell(programs, api, monkeypatch):
    programs.install("nerdctl")
    programs.answer(("^nerdctl --version", 0, "nerdctl version 2.1.3\n", ""))
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "nerdctl")
    KindCluster("demo").up()
    assert f"nerdctl pull --quiet {NODE_IMAGE}" in programs.calls
    (outside,) = programs.called("nerdctl run --detach")
    assert " --network kind " in outside
