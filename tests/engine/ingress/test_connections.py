"""How clients and pods speak through the proxy: kept connections, HTTP/2, trailers, big bodies, pods that go."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import subprocess

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

BIG = 20_000_000


@pytest.fixture
def curl(door):
    """Ask for a URL of ``door.host``; the lines of headers, then the body."""
    if (
        shutil.which("curl") is None
        or "HTTP2" not in subprocess.run(["curl", "-V"], capture_output=True, text=True).stdout
    ):
        pytest.skip("there is no curl with HTTP/2")

    def ask(scheme, path="/", host=door.host, *options):
        port = door.lab.cluster.loopback[{"http": 80, "https": 443}[scheme]]
        where = ["--connect-to", f"{host}:{port}:127.0.0.1:{port}", f"{scheme}://{host}:{port}{path}"]
        argv = ["curl", "-skSi", "--max-time", "20", *options, *where]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()

    return ask


def test_a_client_keeps_its_connection_and_requests_on_it_go_to_all_pods(door):
    connection = http.client.HTTPConnection("127.0.0.1", door.lab.cluster.loopback[80], timeout=10)
    pods = set()
    connection.connect()
    kept = connection.sock
    for _ in range(10):
        connection.request("GET", "/", headers={"Host": door.host})
        reply = door.reply(connection.getresponse())
        assert reply.headers["connection"] is None
        assert connection.sock is kept
        pods.add(reply.seen["pod"])
    connection.close()
    assert len(pods) == 2


def test_a_host_name_with_a_dot_at_its_end_is_the_same_host(curl, door):
    header = f"Host: {door.host.upper()}.:80"
    assert curl("http", "/", door.host, "-H", header)[0] == "HTTP/1.1 200 OK"
    assert door.lab.decide(f"http://{door.host}.:80/").services


def test_a_clients_http2_is_http1_to_the_pod_and_it_learns_the_scheme(curl):
    encrypted = curl("https")
    assert encrypted[0] == "HTTP/2 200 "
    assert '"x-forwarded-proto": "https"' in encrypted[-1]
    plain = curl("http", "/x", "shop.example.test", "--http2-prior-knowledge")
    assert plain[0] == "HTTP/2 200 "
    assert '"path": "/x"' in plain[-1]
    assert '"x-forwarded-proto": "http"' in plain[-1]


def test_what_comes_after_the_body_reaches_the_client_as_grpc_needs_it(door, curl):
    door.lab.apply(door.ingress("grpc", "grpc.test", port="h2c"))
    door.eventually(lambda: door.get(host="grpc.test").status == 200)
    answer = curl("http", "/service/method", "grpc.test", "--http2-prior-knowledge", "-d", "message")
    assert answer[0] == "HTTP/2 200 "
    assert {"h2cgrpc-status: 0", "grpc-status: 0"}.intersection(answer)


def test_bodies_of_any_size_pass_both_ways_unchanged(door):
    body = bytes(range(256)) * (BIG // 256)
    connection = http.client.HTTPConnection("127.0.0.1", door.lab.cluster.loopback[80], timeout=60)
    connection.request("POST", "/", body, {"Host": door.host})
    assert door.reply(connection.getresponse()).seen["sha256"] == hashlib.sha256(body).hexdigest()
    connection.request("GET", f"/big/{BIG}", headers={"Host": door.host})
    assert len(door.reply(connection.getresponse()).text) == BIG
    connection.close()


def test_a_client_of_http_1_0_is_answered(door):
    with door.connect() as connection:
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {door.host}\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"200"
            assert b'"pod"' in answer.read()  # until the end: the connection is closed


def test_an_endpoint_that_accepts_no_connection_costs_no_request_while_another_does(door):
    ip = door.lab.pods("app=web")[0].ip
    ports = [{"name": "http", "port": 80}]
    door.lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "half"}, "spec": {"ports": ports}})
    door.lab.apply(
        [endpoint_slice("half", ip, 8080), endpoint_slice("half", ip, 9), door.ingress("half", "half.test", "half")]
    )
    door.eventually(lambda: door.get(host="half.test").status == 200)
    assert [door.get(host="half.test").status for _ in range(20)] == [200] * 20
    door.lab.delete("endpointslice/half-8080")
    door.eventually(lambda: door.get(host="half.test").status == 503)
    assert door.get(host="half.test").text == "503 kubelab ingress: the pod does not accept the connection\n"


def endpoint_slice(service, ip, port):
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-{port}", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}}],
    }


def test_pods_that_are_replaced_cost_no_request_and_get_none_when_they_leave(door):
    old = {each.name for each in door.lab.pods("app=web")}
    with door.under_load():
        door.lab.restart("deployment/web")
        door.eventually(lambda: old.isdisjoint(door.get().seen["pod"] for _ in range(10)))
        door.eventually(lambda: old.isdisjoint(each.name for each in door.lab.pods("app=web")))
