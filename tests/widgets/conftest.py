"""Traces of a recorded cluster (``tests/trace/texts``), as `lab.trace` would name them."""

from pathlib import Path

import pytest

from kubelab.lab.testing import fake_lab
from kubelab.trace import Trace, names_of, picture, trace

TEXTS = Path(__file__).resolve().parents[1] / "trace" / "texts"
PODS = {
    "client": ("10.244.2.3", "kubelab-worker2"),
    "single": ("10.244.1.4", "kubelab-worker"),
    "web-1": ("10.244.1.2", "kubelab-worker"),
    "web-2": ("10.244.1.3", "kubelab-worker"),
    "web-3": ("10.244.2.2", "kubelab-worker2"),
}
SERVICES = {"10.96.0.20": "Service web", "10.96.0.23": "Service nobody", "10.96.0.24": "Service web-np",
            "10.96.0.27": "Service single"}  # fmt: skip
NETWORKS = {
    f"10.244.{at}.0/24": f"pods of kubelab-{name}" for at, name in enumerate(("control-plane", "worker", "worker2"))
}


def _read(node, kind):
    return (TEXTS / f"{node}.{kind}").read_text()


@pytest.fixture(scope="session")
def traced():
    """Traces on the recorded cluster: ``traced("client", "10.96.0.20", 80)``; ``mode="nftables"`` for that mode."""
    return _traced


def _traced(source, destination, port=0, *, mode="iptables", **question):
    rules = {"iptables": ("iptables", "rules"), "nftables": ("nft", "nft")}[mode]
    nodes = ["control-plane", "worker", "worker2"] if mode == "iptables" else ["worker"]
    texts = {
        f"kubelab-{node}": {
            rules[0]: _read(node, rules[1]),
            "routes": _read(node, "routes"),
            "addresses": _read(node, "addresses"),
        }
        for node in nodes
    }
    texts["outside"] = {"routes": _read("outside", "routes"), "addresses": _read("outside", "addresses")}
    there = {name: pod for name, pod in PODS.items() if pod[1] in texts}
    seen = picture(texts, there)
    found = trace(seen, source, destination, port, **question)
    return Trace(found.source, found.sent, found.outcomes, found.notes, names_of(seen, SERVICES, NETWORKS))


@pytest.fixture
def lab_in_memory():
    return fake_lab()
