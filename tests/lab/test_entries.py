"""Asking a Service's node port at every node, on a street that is played."""

from types import SimpleNamespace

import pytest

from kubelab.lab import entries
from kubelab.lab.entries import CLIENT, KNOCKS, ask_nodes
from kubelab.lab.errors import LabError
from kubelab.lab.testing import fake_lab
from kubelab.lab.traffic import Answer, Traffic

NODES = {"control-plane": "172.18.0.2", "worker": "172.18.0.3", "worker2": "172.18.0.4"}
OUTSIDE = "172.18.0.1"
NAMES = {OUTSIDE: "outside"} | {address: f"fake-{node}" for node, address in NODES.items()}
POD = {"web-1": "worker", "web-2": "worker2"}
PORT, HEALTH = 30080, 32000


class Street:
    """Answers for the nodes; a node that is late does for some knocks what it did before.

    It takes ``seconds`` to answer.
    """

    def __init__(self, *, local, late=0, seconds=0.01):
        self.local, self.late, self.seconds = local, late, seconds
        self.asked = []

    def probe(self, url, n, source, timeout):
        assert source == "outside"
        address, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
        node = next(name for name, ip in NODES.items() if ip == address)
        if int(port) == HEALTH:
            return Traffic((Answer(0, 0.01, 200 if node in POD.values() else 503),))
        assert int(port) == PORT
        self.asked.append((node, n))
        local = self.local
        if self.late and node == "control-plane":
            self.late, local = self.late - 1, not local
        pods = [pod for pod, home in POD.items() if home == node] if local else list(POD)
        if not pods or self.seconds > timeout:
            return Traffic(tuple(Answer(at, timeout, error="timeout") for at in range(n)))
        peer = OUTSIDE if local else address
        return Traffic(tuple(Answer(at, 0.01, 200, pod=pods[at % len(pods)], peer=peer) for at in range(n)))


@pytest.fixture
def ask(monkeypatch):
    """Asks on a street under a Service's spec."""

    def asking(street, **spec):
        lab = fake_lab()
        for node, address in NODES.items():
            status = {"addresses": [{"type": "Hostname", "address": node}, {"type": "InternalIP", "address": address}]}
            lab.api.objects[f"/api/v1/nodes/fake-{node}"] = {"metadata": {"name": f"fake-{node}"}, "status": status}
        lab.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web"},
                "spec": {"selector": {"app": "web"}, **spec},
            }
        )
        monkeypatch.setattr(lab, "probe", street.probe)
        monkeypatch.setattr(entries, "homes_of", lambda lab, service: POD)
        monkeypatch.setattr(entries, "address_book", lambda lab: SimpleNamespace(name=NAMES.get))
        return ask_nodes(lab, "web", n=10)

    return asking


ONE_PORT = [{"port": 80, "nodePort": PORT}]


def test_under_cluster_every_node_answers_for_all_pods_with_its_own_address(ask):
    found = ask(Street(local=False), type="NodePort", ports=ONE_PORT)
    assert [entry.cells for entry in found.nodes] == [
        (node, "web-1, web-2", node, "none") for node in ("control-plane", "worker", "worker2")
    ]
    assert found.traffic.success == 1 and found.percent("web-1") == 50
    assert found.sources == {"control-plane", "worker", "worker2"}


def test_under_local_a_node_without_a_pod_is_asked_no_more_than_needed_and_its_health_says_why(ask):
    street = Street(local=True)
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": HEALTH}
    found = ask(street, ports=ONE_PORT, **spec)
    assert [entry.cells for entry in found.nodes] == [
        ("control-plane", "nobody: timeout", "–", "503"),
        ("worker", "web-1", CLIENT, "200"),
        ("worker2", "web-2", CLIENT, "200"),
    ]
    assert [n for node, n in street.asked if node == "control-plane"] == [KNOCKS]
    assert sum(n for node, n in street.asked if node == "worker") == 10
    assert found.traffic.success == 1, "a load balancer would not have sent anybody to the node that says no"


def test_a_node_that_has_not_heard_of_the_policy_yet_is_waited_for(ask):
    found = ask(Street(local=True, late=3), type="NodePort", externalTrafficPolicy="Local", ports=ONE_PORT)
    assert found["control-plane"].cells == ("control-plane", "nobody: timeout", "–", "none")


def test_a_node_that_answers_late_is_not_taken_for_one_that_drops_packets(ask, monkeypatch):
    monkeypatch.setattr(entries, "SETTLED_SECONDS", 0)
    found = ask(Street(local=False, seconds=2), type="NodePort", ports=ONE_PORT)
    assert {entry.cells[1] for entry in found.nodes} == {"web-1, web-2"}


def test_a_service_without_a_node_port_is_a_clear_error(ask):
    with pytest.raises(LabError, match="has no node port"):
        ask(Street(local=False), ports=[{"port": 80}])
