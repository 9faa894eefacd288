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


def with_ipvs(texts: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The texts of nodes whose kernel has IPVS."""
    for node in ("control-plane", "worker", "worker2"):
        own = texts[f"kubelab-{node}"]
        own |= {"iptables": text(f"{node}.ipvs-rules"), "ipvs": text(f"{node}.ipvs"), "ipset": text(f"{node}.ipset")}
        own["addresses"] += text("kube-ipvs0") + text(f"{node}.ipvs-addresses")
    return texts


@pytest.fixture(scope="session")
def texts_of():
    """The texts of a cluster in one shape (``iptables``, ``nft``, ``nft json``, ``ipvs``), and its pods."""

    def make(shape: str):
        texts = nodes()
        if shape == "ipvs":
            texts = with_ipvs(texts)
        elif shape != "iptables":
            listed = text("worker.nft.json" if shape == "nft json" else "worker.nft")
            for name in texts:
                texts[name] = {**texts[name], "iptables": "", "nft": listed if name != "outside" else ""}
        return texts, PODS

    return make


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
