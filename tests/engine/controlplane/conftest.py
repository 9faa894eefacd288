"""Stand-ins for Kubernetes' programs, as executables in a folder of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

STANDINS = Path(__file__).parent / "standins"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def install(folder: Path, names: tuple[str, ...] = PROGRAMS) -> Path:
    """Executables of these names in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        program = folder / name
        script = STANDINS / f"{name.replace('-', '_')}.py"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        program.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("kubernetes") / "bin")
