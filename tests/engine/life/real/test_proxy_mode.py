"""Switching kube-proxy's mode in a real cluster, while packets travel."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.descendants import below
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.lab import Lab
from kubelab.lab.api import KubeconfigApi
from kubelab.lab.errors import LabError

pytestmark = [pytest.mark.engine, pytest.mark.timeout(150)]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: web, image: "registry.k8s.io/e2e-test-images/agnhost:2.53", args: [netexec, --http-port=8080]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
"""

CLIENT = """
import collections, json, os, socket, sys

def ask(stream):
    stream.sendall(b"GET /hostname HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n")
    return stream.recv(4096).split()[1].decode()

address, seen = (sys.argv[1], int(sys.argv[2])), collections.Counter()
try:
    with socket.create_connection(address, 10) as kept:
        while not os.path.exists(sys.argv[3]):
            with socket.create_connection(address, 10) as stream:
                seen[ask(stream)] += 1
            seen["kept " + ask(kept)] += 1
except (OSError, IndexError) as error:
    seen[repr(error)] += 1
print(json.dumps(seen))
"""
"""Asks over new connections and over one that it keeps, in turn, until a file is there; prints what was answered."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
        cluster = EmbeddedCluster("modes")
        try:
            cluster.up()
            if cluster.facts()["tier"] == "interposed":
                pytest.skip("the kernel holds no rules here")
            lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
            lab.apply(WEB)
            lab.wait("service/web", "answers")
            yield lab
        finally:
            cluster.down()


@pytest.fixture
def cluster(lab: Lab) -> Iterator[EmbeddedCluster]:
    """It serves by iptables before and after."""
    cluster = lab.cluster
    assert isinstance(cluster, EmbeddedCluster)
    yield cluster
    cluster.set_proxy_mode("iptables")


def left_in_kernel(cluster: EmbeddedCluster) -> set[str]:
    """Of which modes something stands in the kernel of a node."""
    found = set()
    for node in cluster.nodes():
        found |= {"iptables"} if "KUBE-" in node.run(["iptables-save"]).stdout else set()
        found |= {"nftables"} if "kube-proxy" in node.run(["nft", "list", "tables"]).stdout else set()
    return found


def test_no_connection_fails_and_none_that_is_open_ends_while_the_mode_changes(lab, cluster, tmp_path):
    ip = lab.get("service/web")["spec"]["clusterIP"]
    worker, worker2 = cluster.nodes()[1:]
    told = tmp_path / "end"
    program = [sys.executable, "-IS", "-c", CLIENT]
    with ThreadPoolExecutor(3) as pool:
        asking = [
            pool.submit(place.run, [*program, *to, str(told)], timeout_seconds=60)
            for place, *to in ((cluster.outside, "172.18.0.2", "30080"), (worker, ip, "80"), (worker2, ip, "80"))
        ]
        for mode in ("nftables", "iptables", "nftables", "iptables"):
            lab.switch_proxy_mode(mode)
        told.touch()
    for each in asking:
        said = each.result()
        assert json.loads(said.stdout).keys() == {"200", "kept 200"}, said


def test_all_nodes_serve_by_the_new_mode_and_nothing_of_the_old_one_is_left(lab, cluster):
    assert (lab.proxy_mode, left_in_kernel(cluster)) == ("iptables", {"iptables"})
    for mode in ("nftables", "nftables", "iptables", "nftables"):
        lab.switch_proxy_mode(mode)
        assert (lab.proxy_mode, left_in_kernel(cluster)) == (mode, {mode})
    assert set(cluster.proxy_modes().values()) == {"nftables"}
    with pytest.raises(LabError, match=r"'userspace' is no mode of kube-proxy; there are iptables, nftables, ipvs\."):
        lab.switch_proxy_mode("userspace")
    with pytest.raises(ClusterError, match="'userspace' is no mode"):
        cluster.set_proxy_mode("userspace")


def test_several_that_switch_at_once_leave_one_mode(lab, cluster):
    modes = ("nftables", "iptables", "nftables", "iptables", "nftables")
    with ThreadPoolExecutor(len(modes)) as pool:
        list(pool.map(cluster.set_proxy_mode, modes))
    assert left_in_kernel(cluster) == {lab.proxy_mode}


def test_what_follows_a_switch_is_loaded_by_the_new_mode(lab, cluster):
    lab.switch_proxy_mode("nftables")
    lab.scale("deployment/web", 2)
    lab.wait("service/web", "answers")
    assert lab.probe("web", n=20).success == 1
    assert left_in_kernel(cluster) == {"nftables"}


def test_the_mode_outlives_the_network_the_engine_and_a_reset(lab, cluster):
    lab.switch_proxy_mode("nftables")
    engine = cluster.state.engine_pid()
    os.kill(below(engine)[1], signal.SIGKILL)
    cluster.up()
    assert (lab.proxy_mode, left_in_kernel(cluster)) == ("nftables", {"nftables"})
    os.kill(engine, signal.SIGKILL)
    cluster.up()
    assert (lab.proxy_mode, left_in_kernel(cluster)) == ("nftables", {"nftables"})
    cluster.reset()
    assert lab.proxy_mode == "nftables"
