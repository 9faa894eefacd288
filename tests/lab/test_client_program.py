"""The client program, as a process and against a real server: what it sends is what a lesson counts."""

import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kubelab.lab.shell import CLIENT_ARGV, client_input


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections: set

    def do_GET(self):
        self.server.seen.add(self.client_address)
        body = (
            b"web-0\n"
            if self.path == "/hostname"
            else json.dumps(
                {"pod": "web-abc-1", "uid": "u", "host": self.headers["Host"], "peer_port": self.client_address[1]}
            ).encode()
        )
        self.send_response(503 if self.path == "/busy" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen = set()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def job(url, **changes):
    return {
        "url": url,
        "requests": 3,
        "rate": None,
        "timeout": 1,
        "connections": None,
        "spread": False,
        "until_told": False,
        **changes,
    }


def run(job):
    argv = [sys.executable, *CLIENT_ARGV[1:]]
    done = subprocess.run(argv, input=client_input(job), capture_output=True, text=True, timeout=30, check=True)
    first, *results = map(json.loads, done.stdout.splitlines())
    assert first == {"began": True}
    assert done.stderr == ""
    return results


def url(server, path="/"):
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_every_request_has_a_connection_of_its_own_and_names_who_answered(server):
    results = run(job(url(server)))
    assert [(r["n"], r["code"], r["pod"], r["uid"]) for r in results] == [(n, 200, "web-abc-1", "u") for n in range(3)]
    assert results[0]["host"] == f"127.0.0.1:{server.server_port}"
    assert len(server.seen) == 3


def test_one_kept_connection_is_one(server):
    assert len(run(job(url(server), connections=1))) == 3
    assert len(server.seen) == 1


def test_requests_take_turns_over_kept_connections(server):
    ports = [r["peer_port"] for r in run(job(url(server), connections=3, requests=9))]
    assert ports[:3] * 3 == ports
    assert len(set(ports)) == 3


def test_connections_are_kept_at_a_rate_too(server):
    run(job(url(server), connections=2, requests=20, rate=200))
    assert len(server.seen) == 2


def test_spread_requests_keep_a_connection_to_each_address(server):
    results = run(job(url(server), spread=True, requests=6))
    assert [(r["code"], r["host"]) for r in results] == [(200, f"127.0.0.1:{server.server_port}")] * 6
    assert len(server.seen) == 1


def test_a_bare_host_name_is_who_answered(server):
    assert run(job(url(server, "/hostname"), requests=1))[0]["pod"] == "web-0"


def test_an_answer_that_is_an_error_is_still_an_answer(server):
    assert run(job(url(server, "/busy"), requests=1))[0]["code"] == 503


def test_a_rate_keeps_its_beat(server):
    results = run(job(url(server), requests=10, rate=100))
    starts = sorted(r["at"] for r in results)
    assert 0.08 < starts[-1] < 1


def test_refused_timed_out_and_unknown_names_are_told_apart():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert run(job(f"http://127.0.0.1:{closed.getsockname()[1]}/", requests=1))[0]["error"] == "refused"
        closed.listen()
        assert (
            run(job(f"http://127.0.0.1:{closed.getsockname()[1]}/", requests=1, timeout=0.1))[0]["error"] == "timeout"
        )
    assert run(job("http://nobody.invalid/", requests=1))[0]["error"] == "DNS"


@pytest.mark.parametrize("spread", [False, True])
def test_told_to_reconnect_it_opens_its_connections_anew(server, spread):
    argv = [sys.executable, *CLIENT_ARGV[1:]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        wanted = job(url(server), requests=None, rate=100, connections=2, spread=spread, until_told=True)
        client.stdin.write(client_input(wanted))
        client.stdin.flush()
        assert json.loads(client.stdout.readline()) == {"began": True}
        before = {json.loads(client.stdout.readline())["peer_port"] for _ in range(5)}
        client.stdin.write("reconnect\n")
        client.stdin.flush()
        while json.loads(client.stdout.readline())["peer_port"] in before:
            pass
        client.stdin.close()
        assert client.wait(10) == 0


def test_a_stream_ends_when_it_is_told_to_and_when_nobody_listens_any_more(server):
    for goodbye in ("\n", None):
        argv = [sys.executable, *CLIENT_ARGV[1:]]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            client.stdin.write(client_input(job(url(server), requests=None, rate=200, until_told=True)))
            client.stdin.flush()
            lines = [client.stdout.readline() for _ in range(5)]
            if goodbye:
                client.stdin.write(goodbye)
            client.stdin.close()
            assert client.wait(10) == 0
        assert all(json.loads(line) for line in lines)
