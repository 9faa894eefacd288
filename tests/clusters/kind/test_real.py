"""On a machine with a container engine and kind: the same promises, kept by a real cluster."""

from __future__ import annotations

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.cluster import KindCluster
from kubelab.clusters.kind.containers import find_engine
from kubelab.clusters.kind.program import find_kind

pytestmark = [pytest.mark.kind, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A real cluster, from nothing to nothing."""
    try:
        find_kind(find_engine(), tmp_path_factory.mktemp("log") / "log")
    except ClusterError as why_not:
        pytest.skip(f"no kind here: {why_not}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        made = KindCluster("kubelab-test")
        try:
            made.up()
            yield made
        finally:
            made.down()


def test_it_can_do_all_that_lessons_ask_for(cluster):
    wanted = {
        "several nodes",
        "several namespaces",
        "node shell",
        "kernel rules",
        "conntrack",
        "switch proxy mode",
        "ingress",
        "gateway api",
        "outside client",
    }
    assert cluster.capabilities == wanted


def test_rules_can_be_read_in_every_node(cluster):
    assert all("KUBE-SERVICES" in node.run(["iptables-save", "-t", "nat"]).stdout for node in cluster.nodes())


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_the_mode_switches_and_nothing_of_the_other_is_left(cluster, mode):
    cluster.set_proxy_mode(mode)
    assert cluster.proxy_mode == mode
    for node in cluster.nodes():
        assert ("KUBE-SVC-" in node.run(["iptables-save", "-t", "nat"]).stdout) == (mode == "iptables")
        assert ("kube-proxy" in node.run(["nft", "list", "tables"]).stdout) == (mode == "nftables")


def test_it_is_found_again_and_emptied(cluster):
    again = KindCluster(cluster.name)
    again.up()
    again.reset()
    assert again.status().running
