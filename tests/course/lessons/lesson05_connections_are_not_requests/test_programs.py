"""The lesson's customer, and what the shared server counts, as processes of their own."""

import http.client
import json
import os
import subprocess
import sys
from contextlib import closing, contextmanager
from importlib import resources

import pytest

CUSTOMER = resources.files("kubelab.course.lessons.lesson05_connections_are_not_requests") / "customer.py"
SERVER = resources.files("kubelab.course.programs") / "server.py"


@contextmanager
def start(program, **environment):
    argv = [sys.executable, str(program)]
    with subprocess.Popen(argv, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving(port, **environment):
    with start(SERVER, PORT=str(port), POD_NAME="web-abc-1", POD_UID="u-1", **environment) as process:
        assert process.stdout.readline() == f"serving on port {port}\n"
        yield process


def ask(connection, path="/"):
    connection.request("GET", path)
    response = connection.getresponse()
    return json.loads(response.read()), response.headers.get("Connection")


def connect(port):
    return closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5))


def ask_once(port, path="/"):
    with connect(port) as connection:
        return ask(connection, path)


def test_the_server_counts_requests_and_connections_of_each_client(port):
    with serving(port):
        for requests in (3, 2):
            with connect(port) as kept:
                for _ in range(requests):
                    ask(kept)
        told, _ = ask_once(port, "/served")
        assert told["peers"] == {"127.0.0.1": {"requests": 5, "connections": 2}}
        assert told["uid"] == "u-1"


def test_a_connection_is_kept_unless_it_is_too_old_or_the_server_is_going_away(port):
    with serving(port) as server, connect(port) as kept:
        assert ask(kept)[1] is None
        server.terminate()
        assert server.stdout.readline().startswith("SIGTERM")
        assert ask(kept)[1] == "close"
    with serving(port, MAX_CONNECTION_SECONDS="0"):
        assert ask_once(port)[1] == "close"


def customer(port, **environment):
    settings = {"TARGET": f"localhost:{port}", "RATE": "400", "CONNECTIONS": "4", **environment}
    return start(CUSTOMER, **settings)


def reports(process, requests):
    """What it says of at least so many requests."""
    lines = []
    while sum(line["sent"] for line in lines) < requests:
        lines.append(json.loads(process.stdout.readline()))
    return lines


@pytest.mark.parametrize(
    ("settings", "per_connection"),
    [({}, None), ({"REQUESTS_PER_CONNECTION": "5"}, 5), ({"REQUESTS_PER_CONNECTION": "1"}, 1)],
)
def test_the_customer_keeps_its_connections_as_long_as_it_is_told_to(port, settings, per_connection):
    with serving(port), customer(port, **settings) as process:
        assert all(line["answered"] == line["sent"] for line in reports(process, 100))
        process.terminate()
        assert process.wait(10) == 0
        counts = ask_once(port, "/served")[0]["peers"]["127.0.0.1"]
    if per_connection is None:
        assert counts["connections"] == 4
    else:
        assert counts["connections"] >= counts["requests"] / per_connection


def test_the_customer_says_what_its_requests_met(port):
    with customer(port) as process:
        (line, *_) = reports(process, 1)
        assert line == {"sent": line["sent"], "ConnectionRefusedError": line["sent"]}
    with customer(port, TARGET="nobody.invalid:80", RATE="20") as process:
        (line, *_) = reports(process, 1)
        assert set(line) == {"sent", "DNS"}
