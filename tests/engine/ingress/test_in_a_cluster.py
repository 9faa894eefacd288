"""What a client of the ingress sees, whatever happens to the objects, the proxy and the controller."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

CHILDREN = """
import os

def field(pid, name):
    [line] = [line for line in open(f"/proc/{pid}/status") if line.startswith(name)]
    return line.split()[1]

def children():
    first = field(1, "Pid:")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if field(pid, "PPid:") == first:
                yield int(pid), open(f"/proc/{pid}/cmdline", "rb").read()
        except OSError:
            continue
"""
KILL_ONE_ENVOY = (
    CHILDREN
    + """
os.kill(max(pid for pid, command in children() if b"bootstrap" in command), 9)
"""
)
KILL_THE_CONTROLLER = (
    CHILDREN
    + """
[pid] = [pid for pid, command in children() if b"\\0controller\\0" in command]
os.kill(pid, 9)
"""
)


@contextmanager
def asking(ask, every=0.02):
    """Ask in the background, on three threads; gives the answers that came, counted."""
    came: Counter[str] = Counter()
    over = threading.Event()

    def work():
        while not over.wait(every):
            try:
                came[str(ask())] += 1
            except OSError as error:
                came[type(error).__name__] += 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield came
    finally:
        over.set()
        for thread in threads:
            thread.join()


def more_than(came, number):
    """Waits until so many more answers have come."""
    wanted = came.total() + number
    return lambda: came.total() >= wanted


def test_the_server_sees_who_asks_and_not_what_a_client_claims(door):
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.test"}
    headers = door.get("/a?b=c", **forged).seen["headers"]
    assert headers["x-forwarded-for"] == "172.18.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == headers["host"] == door.host
    assert not [name for name in headers if name.startswith("x-envoy")]


def test_a_request_has_an_id_that_server_client_and_log_know(door):
    reply = door.get()
    number = reply.headers["x-request-id"]
    assert reply.seen["headers"]["x-request-id"] == number
    pod = next(each for each in door.system.pods() if each.ready)
    door.eventually(lambda: number in door.system.logs(pod, tail=200))
    assert door.get(**{"X-Request-Id": "mine"}).seen["headers"]["x-request-id"] == "mine"


def test_what_nobody_serves_is_404_and_a_service_without_pods_is_503(door):
    missed = door.get(host="nobody.test")
    assert (missed.status, missed.text) == (404, "404 kubelab ingress: no rule matches this host and path\n")
    assert missed.headers["server"] == "kubelab-ingress"
    ports = [{"name": "http", "port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "empty"}, "spec": {"ports": ports}}
    door.lab.apply([service, door.ingress("empty", "empty.test", "empty")])
    door.eventually(lambda: door.get(host="empty.test").status == 503)
    assert door.get(host="empty.test").text == "503 kubelab ingress: the Service has no ready endpoint\n"


def test_a_websocket_goes_through(door):
    with door.connect() as connection:
        connection.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {door.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        with connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
            while answer.readline() != b"\r\n":
                pass
            connection.sendall(b"a frame")
            assert answer.read(7) == b"a frame"


def test_a_port_that_speaks_http2_is_asked_in_http2(door):
    door.lab.apply(door.ingress("h2c", "h2c.test", port="h2c"))
    door.eventually(lambda: door.get(host="h2c.test").status == 200)
    assert door.get(host="h2c.test").text == "h2c"


def test_the_client_may_speak_http2_with_tls(door):
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    door.certificate()
    import socket

    with (
        socket.create_connection(("127.0.0.1", door.lab.cluster.loopback[443]), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=door.host) as made,
    ):
        assert made.selected_alpn_protocol() == "h2"
        assert made.version() == "TLSv1.3"


def test_a_missing_service_is_told_and_other_classes_are_left_alone(door):
    other = door.ingress("other", "other.test", ingressClassName="theirs")
    door.lab.apply([door.ingress("typo", "typo.test", "wbe"), other])
    door.eventually(lambda: "ServiceNotFound" in door.reasons("typo"))
    door.eventually(lambda: door.address("typo") == door.address("shop"))
    assert door.get(host="typo.test").status == 503
    assert door.get(host="other.test").status == 404
    assert door.address("other") == []
    door.lab.apply(door.ingress("typo", "typo.test", "wbe", ingressClassName="theirs"))
    door.eventually(lambda: door.address("typo") == [])


def test_certificates_turn_over_without_a_failed_handshake_and_a_bad_one_changes_nothing(door):
    by_default = door.certificate()
    first = door.lab.certificate(door.host, secret="shop-tls")
    door.lab.apply(door.ingress("shop", tls=[{"hosts": [door.host], "secretName": "shop-tls"}]))
    served = {}

    def handshake():
        return served.setdefault(door.certificate(), len(served))

    door.eventually(lambda: door.certificate() != by_default)
    assert door.certificate("another.test") == by_default
    with asking(handshake) as came:
        door.eventually(more_than(came, 20))
        second = door.lab.certificate(door.host, secret="shop-tls")
        door.eventually(lambda: len(served) == 2)
        broken = {"tls.crt": base64.b64encode(first.pem.encode()).decode(), "tls.key": ""}
        door.lab.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-tls"},
                        "type": "kubernetes.io/tls", "data": broken})  # fmt: skip
        door.eventually(lambda: "SecretInvalid" in door.reasons("shop"))
        door.eventually(more_than(came, 20))
    assert set(came) == {"0", "1"}
    assert first.fingerprint != second.fingerprint
    assert handshake() == 1


def test_a_request_under_way_ends_although_its_pod_is_leaving(door):
    replies = []
    asked = threading.Thread(target=lambda: replies.append(door.get("/slow/2")))
    asked.start()
    door.eventually(lambda: len([each for each in door.lab.pods("app=web") if each.ready]) == 2)
    time.sleep(0.5)  # it is at its pod by now; which one is chance, so both go
    for pod in door.lab.pods("app=web"):
        door.lab.delete(pod)
    asked.join()
    assert [reply.status for reply in replies] == [200]
    door.lab.wait("deployment/web")


@pytest.mark.parametrize("program", [KILL_ONE_ENVOY, KILL_THE_CONTROLLER], ids=["Envoy", "controller"])
def test_who_is_killed_is_back_and_the_others_serve(door, program):
    with asking(lambda: door.get().status) as came:
        door.eventually(more_than(came, 20))
        door.in_controller(program)
        before = Counter(came)
        door.eventually(more_than(came, 100))
    # What a killed process had accepted is lost with it, and nothing else.
    assert came.total() - came["200"] <= 3
    assert came["200"] - before["200"] >= 90
    door.lab.apply(door.ingress("after", "after.test"))
    door.eventually(lambda: door.get(host="after.test").status == 200)
    door.lab.delete("ingress/after")
    door.eventually(lambda: door.get(host="after.test").status == 404)


def test_an_only_replica_that_is_replaced_loses_no_request(door):
    old = next(each for each in door.system.pods() if each.ready)
    with asking(lambda: door.get().status) as came:
        door.eventually(more_than(came, 20))
        door.system.delete(old)
        door.eventually(more_than(came, 50))
        door.eventually(lambda: door.system.find_pod(old.name) is None)
        door.eventually(more_than(came, 50))
    assert set(came) == {"200"}, door.complaints()


def test_reset_leaves_the_ingress_and_takes_the_learners_objects(door):
    ports = dict(door.lab.cluster.loopback)
    door.lab.cluster.reset()
    door.eventually(lambda: door.get().status == 404)
    assert [each.ready for each in door.system.pods()] == [True]
    assert door.lab.cluster.loopback == ports


def test_reset_brings_back_an_ingress_whose_namespace_was_just_deleted(door):
    door.system.delete("namespace/kubelab-ingress")
    door.lab.cluster.reset()
    door.eventually(lambda: [each.ready for each in door.system.pods()] == [True])
    door.lab.apply(door.ingress("back"))
    door.eventually(lambda: "loadBalancer" in (door.lab.get("ingress/back").get("status") or {}))
