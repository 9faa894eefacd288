"""The lesson's server and customer as processes of their own: what will run in the pods."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import resources

import pytest

OWN = resources.files("kubelab.course.lessons.lesson01_pods_are_ephemeral")
SHARED = resources.files("kubelab.course.programs")


@contextmanager
def start(program, **environment):
    argv = [sys.executable, str(program)]
    with subprocess.Popen(argv, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def server(port):
    with start(
        SHARED / "server.py", PORT=str(port), POD_NAME="web-abc-1", POD_UID="u-1", DRAIN_SECONDS="0.5"
    ) as process:
        assert process.stdout.readline() == f"serving on port {port}\n"
        yield process


def get(port, path="/"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Host": "shop:9001"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_it_says_who_it_is_and_what_it_was_called(server, port):
    answer = get(port)
    assert answer.pop("peer_port") > 0
    who = {"pod": "web-abc-1", "uid": "u-1", "node": "", "host": "shop:9001", "peer": "127.0.0.1"}
    assert who.items() <= answer.items()
    assert get(port, "/ready") == {"ready": True}


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_it_says_what_arrived_whatever_the_method_and_the_path(server, port, method):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for target in ("//a/../b?c", "/again"):  # over one connection: the body is read
        connection.request(method, target, body="salt", headers={"X-Team": "red"})
        answer = json.loads(connection.getresponse().read())
        assert (answer["method"], answer["path"], answer["proto"]) == (method, target, "HTTP/1.1")
        assert answer["headers"]["x-team"] == "red"
    connection.close()


def test_a_browser_gets_a_page_for_people(server, port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/<b>", headers={"Accept": "text/html,*/*;q=0.8", "X-Forwarded-For": "192.0.2.7"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for said in ("web-abc-1 answers", "/&lt;b&gt;", "192.0.2.7"):
        assert said in text


def test_after_sigterm_it_goes_on_serving_for_a_while_and_ends_well(server, port):
    server.send_signal(signal.SIGTERM)
    assert server.stdout.readline().startswith("SIGTERM")
    assert get(port)["pod"] == "web-abc-1"
    assert server.wait(10) == 0


def test_a_crash_is_answered_and_then_happens(server, port):
    assert get(port, "/crash")["crashing"]
    assert server.wait(10) == 1


def test_the_customer_writes_down_what_came_of_each_request(server, port):
    with start(OWN / "client.py", TARGET=f"127.0.0.1:{port}", RATE="100") as customer:
        first = json.loads(customer.stdout.readline())
        assert {**first, "n": 0} == {"n": 0, "ok": True, "uid": "u-1", "host": f"127.0.0.1:{port}"}
        server.kill()
        server.wait(10)
        deadline = time.monotonic() + 10
        while (line := json.loads(customer.stdout.readline()))["ok"]:
            assert time.monotonic() < deadline
        assert line["error"] in ("ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected")
        customer.send_signal(signal.SIGTERM)
        assert customer.wait(10) == 0
