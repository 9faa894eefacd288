"""A cluster that is up: what it was made of, and what it can do. Nobody changes it here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kubelab
from kubelab.clusters.kind.cluster import KindCluster
from kubelab.clusters.kind.configuration import NODE_IMAGE
from kubelab.clusters.kind.image import LESSON_IMAGES, OWN_IMAGE
from tests.clusters.kind.conftest import NODES, Programs, api_for, machine_with

IN_THE_IMAGE = """
import importlib, sys

class OnlyThese:
    there = {"kubelab", "cryptography", "envoy"} | sys.stdlib_module_names

    def find_spec(self, name, path=None, target=None):
        if not name.startswith("_") and name.partition(".")[0] not in self.there:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, OnlyThese())
importlib.import_module(sys.argv[1])
"""
"""Imports a module where there is what the recipe installs, and no more."""


@pytest.fixture(scope="module")
def made_with(tmp_path_factory) -> Iterator[Programs]:
    """The machine."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("standing")
        programs = machine_with(folder, monkeypatch)
        api = api_for(folder, programs)
        KindCluster("demo").up()
        yield programs
        api.close()


@pytest.fixture
def standing(made_with) -> KindCluster:
    """The cluster."""
    return KindCluster("demo")


def test_up_makes_three_nodes_with_everything_a_lesson_needs(standing, made_with):
    assert [node.name for node in standing.nodes()] == NODES
    assert standing.outside.name == "outside"
    assert {call.split()[-1] for call in made_with.called("docker pull")} == {NODE_IMAGE, *LESSON_IMAGES}
    assert made_with.loaded == {node: [*LESSON_IMAGES, OWN_IMAGE] for node in NODES}
    assert not (standing.state.root / "images.tar").exists()
    (created,) = made_with.called("kind create cluster")
    assert f"--kubeconfig {standing.kubeconfig}" in created  # the user's own stays as it is
    assert "--retain" in created
    assert standing.status().running
    assert "on kind, 3 nodes in Docker" in standing.status().detail


def test_kind_is_told_the_lessons_cluster(standing):
    config = json.loads((standing.state.root / "kind-config.json").read_text())
    assert (config["apiVersion"], config["name"]) == ("kind.x-k8s.io/v1alpha4", "demo")
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker", "worker"]
    assert all(node["image"] == NODE_IMAGE for node in config["nodes"])
    assert NODE_IMAGE.startswith("kindest/node:v1.36.") and "@sha256:" in NODE_IMAGE
    networking = config["networking"]
    assert networking["dnsSearch"] == []
    assert networking["kubeProxyMode"] == "iptables"
    assert networking["apiServerAddress"] == "127.0.0.1"
    assert {each["listenAddress"] for each in config["nodes"][0]["extraPortMappings"]} == {"127.0.0.1"}


def test_the_ingress_is_at_the_mapped_ports(standing):
    config = json.loads((standing.state.root / "kind-config.json").read_text())
    mapped = {each["containerPort"]: each["hostPort"] for each in config["nodes"][0]["extraPortMappings"]}
    assert standing.loopback == {80: mapped[30080], 443: mapped[30443]}


def test_capabilities_are_what_the_nodes_have(standing, made_with):
    for tool in ("iptables-save", "curl", "crictl"):
        made_with.tool(tool, "exit 0")
    can = standing.capabilities
    assert {"several nodes", "node shell", "kernel rules", "switch proxy mode", "ingress", "outside client"} <= can


def test_the_load_balancer_is_told_of_the_api_out_of_sight(standing, made_with):
    told = dict(line.split("=", 1) for line in (made_with.home / "environment").read_text().splitlines())
    assert told["KUBELAB_SERVER"] == "https://demo-control-plane:6443"
    assert told["KUBELAB_TOKEN"]
    assert not any(told["KUBELAB_TOKEN"] in call for call in made_with.calls)
    assert not any("/var/run" in call for call in made_with.calls)  # nobody gets the engine's socket


def test_the_image_has_the_package_and_no_secrets_of_the_machine(standing, made_with):
    packed = json.loads((made_with.home / "context.json").read_text())
    assert "kubelab/engine/ingress/__main__.py" in packed
    assert all(path.startswith("kubelab/") for path in packed)
    assert (made_with.home / "Dockerfile").read_text().startswith("FROM docker.io/library/python:3.12\n")


@pytest.mark.parametrize(
    "module",
    [
        "kubelab.engine.ingress.supervisor",
        "kubelab.engine.ingress.controller",
        "kubelab.engine.ingress.default_certificate",
        "kubelab.clusters.kind.street",
    ],
)
def test_what_runs_of_the_image_needs_no_packages_but_those_that_are_installed_in_it(module):
    done = subprocess.run([sys.executable, "-c", IN_THE_IMAGE, module], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_image_of_a_lesson_is_loaded_beforehand():
    package = Path(kubelab.__file__).parent
    every = [path for folder in ("course", "lab") for path in (package / folder).rglob("*")]
    files = [path for path in every if path.suffix in (".yaml", ".py")]
    used = {found for path in files for found in re.findall(r"""image["']?: ["']?([a-z0-9./:-]+)""", path.read_text())}
    assert {f"docker.io/library/{each}" for each in used} <= set(LESSON_IMAGES)


def test_logs_are_exported_where_one_says(standing, tmp_path):
    standing.logs(tmp_path / "logs")
    assert (tmp_path / "logs" / "demo-worker" / "kubelet.log").read_text().endswith("it was the disk\n")
