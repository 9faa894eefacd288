"""What a load balancer in front of the cluster does: whom it asks, and whom it leaves out."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]

GET = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=2)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


def get(scene, url: str) -> tuple[int, dict]:
    code, body = scene.run("outside", ["-c", GET, url]).split(" ", 1)
    return int(code), json.loads(body)


@pytest.mark.parametrize(("node", "code", "endpoints"), [("172.18.0.3", 200, 1), ("172.18.0.4", 503, 0)])
def test_the_health_check_port_tells_whether_a_node_has_an_endpoint(scene, node, code, endpoints):
    said = {}
    scene.eventually(lambda: said.update(dict([get(scene, f"http://{node}:30099/healthz")])) or code in said)
    assert said[code] == {
        "service": {"namespace": "default", "name": "balanced-local"},
        "localEndpoints": endpoints,
        "serviceProxyHealthy": True,
    }


def test_kube_proxys_own_health_is_asked_for_all_others(scene):
    code, body = get(scene, "http://172.18.0.3:10256/healthz")
    assert (code, body["healthy"], body["nodeEligible"]) == (200, True, True)
    assert get(scene, "http://172.18.0.3:10256/livez")[0] == 200


def test_the_status_says_the_address_and_how_it_is_reached(scene):
    status = scene.lab.get("service/balanced")["status"]
    assert status == {"loadBalancer": {"ingress": [{"ip": "172.18.255.10", "ipMode": "VIP"}]}}


def test_a_node_that_says_no_gets_nothing_from_outside(scene):
    """With the label on the node of the only endpoint nobody is left to answer."""
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    assert scene.settled("outside", "tcp:172.18.255.11:80", {"one": None})
    scene.label("worker", label, "")
    try:
        unreachable = ({"no way"}, {"silence"}, {"no way", "silence"})
        scene.eventually(lambda: scene.ask("outside", "tcp:172.18.255.11:80", 2).keys() in unreachable)
        assert scene.ask("two", "tcp:172.18.255.11:80", 2).keys() == {"one"}  # inside nobody asks the balancer
    finally:
        scene.label("worker", label, None)
    assert scene.settled("outside", "tcp:172.18.255.11:80", {"one": None}).keys() == {"one"}


def test_a_client_with_affinity_stays_with_its_endpoint(scene):
    [first] = scene.ask("three", f"tcp:{scene.cluster_ip('sticky')}:80", 1)
    assert scene.ask("three", f"tcp:{scene.cluster_ip('sticky')}:80", 20).keys() == {first}
