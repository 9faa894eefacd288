"""A cluster of three nodes as its tools printed it (``texts/``), with every kind of Service.

Endpoints: web on web-a and web-b (kubelab-worker) and web-c (kubelab-worker2); single on single (kubelab-worker).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelab.trace import Picture, picture

TEXTS = Path(__file__).parent / "texts"

PODS = {
    "default/client": ("10.244.2.3", "kubelab-worker2"),
    "default/single": ("10.244.1.4", "kubelab-worker"),
    "default/web-a": ("10.244.1.2", "kubelab-worker"),
    "default/web-b": ("10.244.1.3", "kubelab-worker"),
    "default/web-c": ("10.244.2.2", "kubelab-worker2"),
    "kube-system/coredns": ("10.244.0.2", "kubelab-control-plane"),
}


def text(name: str) -> str:
    return (TEXTS / name).read_text()


def nodes() -> dict[str, dict[str, str]]:
    found = {
        f"kubelab-{name}": {
            "iptables": text(f"{name}.rules"),
            "routes": text(f"{name}.routes"),
            "addresses": text(f"{name}.addresses"),
        }
        for name in ("control-plane", "worker", "worker2")
    }
    found["outside"] = {"routes": text("outside.routes"), "addresses": text("outside.addresses")}
    return found


@pytest.fixture(scope="session")
def cluster() -> Picture:
    return picture(nodes(), PODS)


@pytest.fixture
def fresh():
    """Makes the cluster anew, with nothing read yet."""
    return lambda: picture(nodes(), PODS)


@pytest.fixture
def texts_and_pods():
    """The texts by node, to be changed, and the pods."""
    return nodes(), PODS


@pytest.fixture
def listing():
    """Reads a text by its name."""
    return text


@pytest.fixture
def changed():
    """Makes the cluster with other texts on one node: ``changed("kubelab-worker", iptables=…)``."""

    def make(node: str, **texts: str) -> Picture:
        whole = nodes()
        whole[node] = {**whole[node], **texts}
        return picture(whole, PODS)

    return make


@pytest.fixture
def rules_on_worker(changed):
    """Makes the cluster with a function applied to kubelab-worker's rules."""
    return lambda change: changed("kubelab-worker", iptables=change(text("worker.rules")))
