"""Where the programs are looked for, and which versions are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab.engine.controlplane import ControlPlaneError
from kubelab.engine.controlplane.upstream import binaries
from kubelab.engine.controlplane.upstream.binaries import Binary


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)
    return folder / name


def some(etcd: str = "3.6.4", api: str = "1.36.2", **others: str) -> dict[str, Binary]:
    versions = {"etcd": etcd, "kube-apiserver": api} | {name.replace("_", "-"): text for name, text in others.items()}
    return {name: Binary(Path(name), tuple(map(int, text.split(".")))) for name, text in versions.items()}


async def test_assets_come_before_the_conda_environment_and_that_before_the_path(tmp_path):
    for folder in ("assets", "conda/bin", "path"):
        program(tmp_path / folder, "etcd", "etcd Version: 3.6.4")
    for folder in ("conda/bin", "path"):
        program(tmp_path / folder, "kube-apiserver", "Kubernetes v1.36.2")
    program(tmp_path / "path", "kube-scheduler", "Kubernetes v1.36.1")
    environment = {
        "KUBEBUILDER_ASSETS": str(tmp_path / "assets"),
        "CONDA_PREFIX": str(tmp_path / "conda"),
        "PATH": f"{tmp_path / 'path'}:/bin",
    }
    found = await binaries.find(environment)
    assert {name: (str(each.path.relative_to(tmp_path)), str(each)) for name, each in found.items()} == {
        "etcd": ("assets/etcd", "3.6.4"),
        "kube-apiserver": ("conda/bin/kube-apiserver", "1.36.2"),
        "kube-scheduler": ("path/kube-scheduler", "1.36.1"),
    }


async def test_what_is_missing_is_named_and_where_to_get_it(tmp_path):
    program(tmp_path, "etcd", "etcd Version: 3.6.4")
    with pytest.raises(ControlPlaneError, match=r"needs kube-apiserver, and .* `conda install -c conda-forge etcd"):
        await binaries.find({"PATH": str(tmp_path)})


async def test_a_program_that_says_no_version_is_refused(tmp_path):
    for name in binaries.NEEDED:
        program(tmp_path, name, "hello")
    with pytest.raises(ControlPlaneError, match="says 'hello', which is no version"):
        await binaries.find({"PATH": f"{tmp_path}:/bin"})


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (some(api="1.34.5"), "1.34.5: take 1.35 or newer"),
        (some(etcd="3.4.23"), "3.4.23: .* wants 3.5 or newer"),
        (some(kube_scheduler="1.37.0"), "kube-scheduler 1.37.0 does not go with kube-apiserver 1.36.2"),
        (some(api="1.37.0", kube_controller_manager="1.35.0"), "kube-controller-manager 1.35.0 does not go"),
    ],
)
def test_a_version_that_cannot_work_is_refused(found, why):
    with pytest.raises(ControlPlaneError, match=why):
        binaries.check(found)


@pytest.mark.parametrize("found", [some(), some(api="1.37.0", kube_scheduler="1.36.4"), some(etcd="3.5.21")])
def test_other_versions_are_taken(found):
    binaries.check(found)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            some(kube_controller_manager="1.36.2", kube_scheduler="1.36.2"),
            "etcd 3.6.4, kube-apiserver 1.36.2, kube-controller-manager 1.36.2, kube-scheduler 1.36.2",
        ),
        (
            some(kube_controller_manager="1.36.2"),
            "etcd 3.6.4, kube-apiserver 1.36.2, kube-controller-manager 1.36.2; "
            "the built-in one stands in for kube-scheduler",
        ),
        (
            some(api="1.37.0", kube_controller_manager="1.37.0", kube_scheduler="1.37.0"),
            "etcd 3.6.4, kube-apiserver 1.37.0, kube-controller-manager 1.37.0, kube-scheduler 1.37.0; "
            "the course is written for 1.36, not 1.37",
        ),
    ],
)
def test_status_says_what_runs_what_stands_in_and_what_is_unusual(found, said):
    assert binaries.describe(found) == said
