"""Real engines, each below a home of its own."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubelab.clusters.embedded import EmbeddedCluster


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedCluster]:
    """A cluster that is down before and after."""
    monkeypatch.setenv("KUBELAB_HOME", str(tmp_path / "home"))
    cluster = EmbeddedCluster("life")
    yield cluster
    cluster.down()


class Api:
    """Just enough of a client, so that what is tested is the engine."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self._cluster = cluster

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer as JSON. Raises HTTPError with Kubernetes' Status in it."""
        state = self._cluster.state
        request = urllib.request.Request(
            self._cluster.facts()["server"] + path,
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {state.token.read_text()}", "Content-Type": "application/json"},
        )
        tls = ssl.create_default_context(cafile=str(state.pki / "ca.crt"))
        with urllib.request.urlopen(request, context=tls, timeout=10) as response:
            return json.load(response)

    def exists(self, path: str) -> bool:
        try:
            self("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True


@pytest.fixture
def api(cluster: EmbeddedCluster) -> Api:
    return Api(cluster)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Look again until it is true, 20 seconds at most; what it came to."""

    def look(condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 20
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not come true within 20 seconds"
            time.sleep(0.05)
        return found

    return look
