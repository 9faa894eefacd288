from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

SCRIPT = Path(__file__).with_name("on_a_fake_engine.py")


class Kubelab(Protocol):
    def __call__(
        self, *argv: str, manner: str = "well", stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def kubelab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubelab]:
    """Runs ``kubelab ARGV…`` below a home of its own; every cluster is down afterwards."""
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path / "home"))
    for name in ("KUBELAB_NAME", "KUBELAB_TIER", "KUBELAB_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*argv: str, manner: str = "well", stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), manner, *argv]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=30, env=os.environ | environment
        )

    yield run
    for state in (tmp_path / "home").glob("*"):
        run("down", "--name", state.name)


@pytest.fixture
def kubectl(tmp_path: Path) -> dict[str, str]:
    """A PATH with a kubectl that says how it was called."""
    directory = tmp_path / "bin"
    directory.mkdir()
    script = directory / "kubectl"
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$KUBECONFIG" "$@"; cat; exit 3\n')
    script.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}
