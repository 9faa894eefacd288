from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from kubelab.clusters.embedded import EmbeddedCluster

FAKE_ENGINE = Path(__file__).with_name("fake_engine.py")


class MakeCluster(Protocol):
    def __call__(self, manner: str = "well", name: str = "demo", **options: object) -> EmbeddedCluster: ...


@pytest.fixture
def make_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCluster]:
    """Clusters below a home of their own, on an engine that is not one; all are down afterwards."""
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBELAB_TIER", raising=False)
    made: list[EmbeddedCluster] = []

    def make(manner: str = "well", name: str = "demo", **options: object) -> EmbeddedCluster:
        made.append(EmbeddedCluster(name, engine=[sys.executable, str(FAKE_ENGINE), manner], **options))
        return made[-1]

    yield make
    for cluster in made:
        cluster.down()
