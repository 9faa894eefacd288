"""Lesson 6's checks on a real cluster: the unsolved start fails, named wrong answers are refused.

The solutions for the reference learner are run by tests/privileges; those for 6.1's other faults are run here.
"""

import pytest

from kubelab import check, connect, solution
from kubelab.course import start
from kubelab.course.lessons.lesson06_dns import lost, peers
from kubelab.course.seed import Seed
from kubelab.grading import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


@pytest.fixture
def lab(learner):
    return connect("names")


def refused(task_id, said):
    result = check(task_id)
    assert result.outcome is Outcome.INCORRECT, result
    assert said in result.reason, result


def name(lab, task, subdomain=None):
    """Give every peer a hostname and a subdomain."""
    for peer in task.peers:
        template = lab.get(f"deployment/{peer}")["spec"]["template"]
        template["spec"].update(hostname=peer, subdomain=subdomain or task.group)
        apply_peer(lab, task, peer, template)


def apply_peer(lab, task, peer, template):
    spec = {"selector": {"matchLabels": {"app": task.group, "peer": peer}}, "template": template}
    lab.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": peer}, "spec": spec})


def group(task, **fields):
    ports = [{"name": task.port_name, "port": task.port}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": task.group}, "spec": {"ports": ports, **fields}}


def slice_by_hand(service, port_name, port, hosts):
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-by-hand", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [ip], "hostname": host, "conditions": {"ready": True}} for host, ip in hosts],
    }


def test_names_of_ready_pods_a_wrong_subdomain_and_a_service_with_an_address_are_refused(lab, monkeypatch):
    monkeypatch.setattr(peers, "FOUND_SECONDS", 2.0)  # enough to be in the middle of a rollout
    task = start("6.2")
    assert check("6.2").outcome is Outcome.NOT_ATTEMPTED
    name(lab, task)
    lab.apply(group(task, clusterIP="None", selector={"app": task.group}))
    refused("6.2", "wait for each other for ever")
    name(lab, task, f"{task.group}s")
    lab.apply(group(task, clusterIP="None", publishNotReadyAddresses=True, selector={"app": task.group}))
    refused("6.2", "No name leads to its pod")
    monkeypatch.undo()
    name(lab, task)
    lab.delete(f"service/{task.group}")
    lab.apply(group(task, publishNotReadyAddresses=True, selector={"app": task.group}))
    refused("6.2", "SRV question")


def test_addresses_by_hand_and_peers_that_no_longer_wait_are_refused(lab, monkeypatch):
    monkeypatch.setattr(peers, "FOUND_SECONDS", 2.0)
    task = start("6.2")
    lab.apply(group(task, clusterIP="None"))
    hosts = [(peer, ip) for peer in task.peers for ip in lab.pods(f"peer={peer}").ips]
    lab.apply(slice_by_hand(task.group, task.port_name, task.port, hosts))
    refused("6.2", "No name leads to its pod")
    template = lab.get(f"deployment/{task.peers[0]}")["spec"]["template"]
    del template["spec"]["containers"][0]["readinessProbe"]
    lab.delete(f"deployment/{task.peers[0]}")
    lab.wait(f"peer={task.peers[0]}", "deleted")
    apply_peer(lab, task, task.peers[0], template)
    refused("6.2", "no longer the peer that you were given")


@pytest.mark.parametrize("fault", [lost.POLICY, lost.SEARCH, lost.SUBDOMAIN])
def test_a_customer_that_finds_nothing_is_refused_and_repaired_as_its_solution_says(lab, learner, monkeypatch, fault):
    seed = next(text for text in map(str, range(40)) if lost.fault(Seed(text)) == fault)
    monkeypatch.setenv("KUBELAB_SEED", seed)
    task = start("6.1")
    assert check("6.1").outcome is Outcome.NOT_ATTEMPTED
    service = lab.get(f"service/{task.service}")["spec"]
    spec = {"clusterIP": "None", "selector": {"app": f"{task.app}s"}, "ports": service["ports"]}
    lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": task.service}, "spec": spec})
    refused("6.1", "3 of 3 questions")
    lab.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": task.service},
            "spec": {**spec, "selector": service["selector"]},
        }
    )
    exec(solution("6.1").text, {"lab": lab})
    assert check("6.1")


def test_an_address_by_hand_does_not_outlive_the_server(lab):
    task = start("6.1")
    spec = {"clusterIP": "None", "ports": [{"name": task.port_name, "port": task.port}]}
    lab.delete(f"service/{task.service}")
    lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": task.service}, "spec": spec})
    hosts = [(task.host, ip) for ip in lab.pods(f"app={task.app}").ips]
    lab.apply(slice_by_hand(task.service, task.port_name, task.port, hosts))
    refused("6.1", "After the server was replaced")
