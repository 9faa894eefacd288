"""What is computed from the nodes' texts, and what their kernels do with a real packet: rule by rule, in each mode."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab, LabError, following, waiting
from kubelab.lab.api import KubeconfigApi

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

HERE = Path(__file__).parent
SERVER = HERE.parents[1] / "kubelab" / "course" / "programs" / "server.py"

QUESTIONS = [
    "client web", "client web:other", "web-a web", "worker web", "outside worker:30080", "client worker:30080",
    "worker 127.0.0.1:30080", "outside worker:30081", "outside worker2:30081", "client worker2:30081",
    "worker2 worker2:30081", "client single-local", "single service/single", "client sticky", "client sticky",
    "client nobody", "outside worker:30083", "client balanced", "outside balanced", "client 172.18.254.7:80",
    "client web:82", "client web-c", "client kube-dns.kube-system:dns udp", "control-plane 10.96.0.1:443",
]  # fmt: skip
"""Every kind of Service, from a pod, a node and outside; both traffic policies with and without a local endpoint;
a pod to itself; affinity anew and remembered; nobody there; no Service at all."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A cluster of our own with every kind of Service."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        cluster = EmbeddedCluster("kubelab")  # its nodes are named after it, as those in the manifests
        try:
            cluster.up()
            if cluster.facts()["tier"] == "interposed":
                pytest.skip("there is no kernel to ask on this tier")
            lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
            objects = yaml.safe_load((HERE / "followed.yaml").read_text())["items"]
            objects[0]["data"]["server.py"] = SERVER.read_text()
            lab.apply(objects)
            for pod in ("web-a", "web-b", "web-c", "single", "client"):
                lab.wait(f"pod/{pod}", "ready")
            yield lab
        finally:
            cluster.down()


@pytest.fixture(scope="module", params=["iptables", "nftables", "ipvs"])
def mode(lab, request):
    """Every node serves by a mode, and knows every endpoint."""
    if lab.proxy_mode != request.param:
        lab.switch_proxy_mode(request.param)
    for service in ("web", "sticky", "single", "balanced", "external", "web-np"):
        lab.wait(f"service/{service}", "answers")
    waiting.until(lambda: settled(lab), "Some node does not know every endpoint", 30)
    return request.param


def settled(lab) -> waiting.Seen:
    """Whether the rules of every node send everywhere that they should."""
    seen = lab.survey()
    ways = [
        len({outcome.place for outcome in lab.trace(node.name, service, at=seen) if outcome.kind == "delivered"})
        for node in lab.cluster.nodes()
        for service in ("web", "web:other", "sticky", "web-np", "balanced", "external")
    ]
    return waiting.Seen(set(ways) == {3}, f"ways to Services: {ways}")


def test_the_kernel_does_what_is_computed(lab, mode):
    differing = {}
    for question in QUESTIONS:
        source, target, *protocol = question.split()
        followed = lab.follow(source, target, protocol=(protocol or ["tcp"])[0])
        assert followed.hops, question
        if followed.differences():
            differing[question] = followed.differences()
    assert not differing


def test_a_connection_is_seen_whole(lab, mode):
    """The client's end, the server's, and what the nodes between them noted."""
    followed = lab.follow("outside", "worker:30080")
    assert followed.end == "connected" and followed.server.startswith("web-")
    entry = dict(followed.after)["kubelab-worker"]
    assert entry.first == ("tcp", followed.sent.source, followed.sent.source_port, "172.18.0.3", 30080)
    assert (followed.peer, followed.peer_port) == (entry.reply_destination, entry.reply_destination_port)
    assert not followed.before
    undone = [hop.did for hop in followed.answer if hop.place == "kubelab-worker" and hop.did.startswith("un-")]
    assert undone == [f"un-snat {followed.sent.source_text}", "un-dnat 172.18.0.3:30080"]
    shown = repr(followed)
    assert "agrees, rule by rule" in shown and "Service" not in followed.text()
    assert followed.sent.source not in shown and str(followed.sent.source_port) not in shown


def test_nothing_is_left_on_the_nodes(lab):
    def tables() -> waiting.Seen:
        there = [place.run(["nft", "list", "tables"]).stdout for place in lab.cluster.places()]
        return waiting.Seen(not any("kubelab-follow" in text for text in there), str(there))

    with pytest.raises(LabError, match="not from 'nowhere'"):
        lab.follow("nowhere", "web")
    waiting.until(tables, "A listener's table is still there", 10)


def test_rules_that_change_meanwhile_have_the_packet_sent_again(lab, monkeypatch):
    sent = []
    original = following._Program.go

    def go(program: following._Program) -> dict:
        said = original(program)
        if "end" in said:
            sent.append(said)
            if len(sent) == 1:
                lab.cluster.nodes()[0].run(["iptables", "-t", "mangle", "-N", "KUBELAB-TEST"])
        return said

    monkeypatch.setattr(following._Program, "go", go)
    followed = lab.follow("client", "web")
    assert len(sent) == 2 and not followed.notes


def test_where_there_is_no_kernel_to_ask_it_says_so(lab, monkeypatch):
    without = SimpleNamespace(capabilities=frozenset(), nodes=list, outside=None)
    monkeypatch.setattr(lab, "cluster", without)
    with pytest.raises(LabError, match="no kernel to ask"):
        lab.follow("client", "web")
