"""kube-proxy's mode: what is changed in the API, what is run in the nodes, and what happens when it fails."""

from __future__ import annotations

import asyncio
import json

import pytest
import yaml

from kubelab.clusters.base import ClusterError, Finished
from kubelab.clusters.kind import proxy_mode
from kubelab.engine.client import ApiRequest, ApiResponse, Client

CONFIG = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\niptables:\n  minSyncPeriod: 1s\nmode: iptables\n"


class Node:
    """A node whose kube-proxy serves by what the cluster's configuration said when it was started."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.mode = "iptables"
        self._cluster = cluster

    def run(self, argv, *, stdin="", timeout_seconds=30):
        text = " ".join(argv)
        self._cluster.ran.append(f"{self.name}: {text}")
        if "proxyMode" in text:
            return Finished(0, self.mode, "")
        if "--cleanup" in text and self.mode in self._cluster.never_ready:
            return Finished(1, "", "no such container")
        code = 1 if text == f"sh -c {proxy_mode._HAS_IPVS}" and not self._cluster.has_ipvs else 0
        return Finished(code, "ok", "")


class Cluster:
    """The API's ConfigMap and DaemonSet, and an `Access` to them."""

    def __init__(self) -> None:
        self.nodes = [Node(self, name) for name in ("one", "two")]
        self.ran: list[str] = []
        self.config = CONFIG
        self.restarts = 0
        self.has_ipvs = True
        self.never_ready: set[str] = set()

    @property
    def mode(self) -> str:
        return yaml.safe_load(self.config)["mode"]

    async def request(self, request: ApiRequest) -> ApiResponse:
        sent = json.loads(request.body or b"{}")
        if request.path.endswith("/configmaps/kube-proxy"):
            self.config = sent.get("data", {"config.conf": self.config})["config.conf"]
            answer: dict = {"metadata": {"name": "kube-proxy"}, "data": {"config.conf": self.config}}
        else:
            if request.method == "PATCH":
                assert "restartedAt" in str(sent)
                self.restarts += 1
                for node in self.nodes:
                    node.mode = self.mode
            ready = 0 if self.mode in self.never_ready else 2
            status = {"observedGeneration": self.restarts, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2,
                      "numberAvailable": ready}  # fmt: skip
            answer = {"metadata": {"generation": self.restarts}, "status": status}
        return ApiResponse(200, json.dumps(answer).encode(), {})

    async def close(self) -> None: ...

    def ask(self, question, *, timeout_seconds, doing):
        async def asked():
            async with asyncio.timeout(min(timeout_seconds, 1)):
                return await question(Client(self))

        try:
            return asyncio.run(asked())
        except TimeoutError as error:
            raise ClusterError(f"{doing} failed: it took longer than {timeout_seconds:g} s.") from error


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def switch(cluster: Cluster, mode: str) -> None:
    proxy_mode.switch(cluster, cluster.nodes, mode)


def cleaned(cluster: Cluster) -> list[str]:
    return [each.split(":")[0] for each in cluster.ran if "--cleanup" in each]


def test_to_nftables_nothing_has_to_be_cleaned_by_hand(cluster):
    switch(cluster, "nftables")
    assert (cluster.mode, cluster.restarts, cleaned(cluster)) == ("nftables", 1, [])
    assert yaml.safe_load(cluster.config)["iptables"] == {"minSyncPeriod": "1s"}
    assert proxy_mode.one_mode(proxy_mode.modes(cluster.nodes)) == "nftables"


def test_between_iptables_and_ipvs_every_node_is_cleaned_first(cluster):
    switch(cluster, "ipvs")
    assert (cluster.mode, cluster.restarts, cleaned(cluster)) == ("ipvs", 1, ["one", "two"])


def test_the_mode_that_it_is_in_already_changes_nothing(cluster):
    switch(cluster, "iptables")
    assert (cluster.restarts, cluster.config) == (0, CONFIG)


def test_without_ipvs_in_the_kernel_nothing_is_begun(cluster):
    cluster.has_ipvs = False
    with pytest.raises(ClusterError, match="The kernel under one has no IPVS"):
        switch(cluster, "ipvs")
    assert (cluster.restarts, cluster.config) == (0, CONFIG)


@pytest.mark.parametrize("mode", ["nftables", "ipvs"])
def test_a_mode_that_does_not_come_up_is_taken_back(cluster, mode):
    cluster.never_ready = {mode}
    with pytest.raises(
        ClusterError, match=f"could not switch to {mode}, all nodes serve by iptables again: Restarting"
    ):
        switch(cluster, mode)
    assert cluster.mode == "iptables"
    assert proxy_mode.one_mode(proxy_mode.modes(cluster.nodes)) == "iptables"


def test_nodes_that_do_not_agree_are_named(cluster):
    cluster.nodes[1].mode = "nftables"
    with pytest.raises(ClusterError, match="one says iptables, two says nftables"):
        proxy_mode.one_mode(proxy_mode.modes(cluster.nodes))
