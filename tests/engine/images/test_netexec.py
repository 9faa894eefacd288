"""What upstream's netexec answers (kubernetes/kubernetes, test/images/agnhost/netexec)."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import quote

import pytest

from kubelab.engine.images.agnhost import main, udp
from kubelab.engine.images.agnhost.flags import duration
from kubelab.engine.images.agnhost.netexec import Netexec
from kubelab.engine.images.http_server import Request

NAME = socket.gethostname()


class Client:
    def __init__(self, at: str) -> None:
        self.connection = http.client.HTTPConnection(at, timeout=5)
        self.at = at

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.read().decode(), dict(response.headers)

    def get(self, path: str) -> tuple[int, str]:
        return self.ask(path)[:2]


@pytest.fixture
def client(serve) -> Client:
    client = Client(serve(Netexec().handle))
    yield client
    client.connection.close()


def test_it_tells_its_name_and_the_clients_address(client):
    assert client.get("/hostname") == (200, NAME)
    assert client.get("/hostName") == (200, NAME)
    address, port = client.connection.sock.getsockname()
    assert client.get("/clientip") == (200, f"{address}:{port}")
    assert client.get("/anything")[1].startswith("NOW: 2")


def test_one_connection_serves_many_requests_and_text_is_plain(client):
    first = client.ask("/hostname")
    before = client.connection.sock.getsockname()
    for _ in range(20):
        client.get("/hostname")
    assert client.connection.sock.getsockname() == before
    assert first[2]["Content-Type"] == "text/plain; charset=utf-8"
    assert first[2]["Content-Length"] == str(len(NAME))


def test_echo_answers_with_the_message_and_the_code(client):
    assert client.get("/echo?msg=hi&code=503") == (503, "hi")
    assert client.get("/echo?msg=a%20b") == (200, "a b")
    assert client.get("/echo?code=x") == (200, "argument 'code' must be an integer or empty, got \"x\"\n")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.ask("/echo", "POST", b"msg=posted", **form)[:2] == (200, "posted")


def test_headers_can_be_read_back(client):
    _status, text, _ = client.ask("/header", **{"x-forwarded-for": "192.0.2.1"})
    assert json.loads(text)["X-Forwarded-For"] == ["192.0.2.1"]
    assert client.ask("/header?key=x-forwarded-for", **{"X-Forwarded-For": "192.0.2.1"})[1] == "192.0.2.1"


def test_a_redirect_is_gos(client):
    status, text, headers = client.ask("/redirect?location=/echo%3Fmsg%3Dfoobar&code=307")
    assert (status, headers["Location"]) == (307, "/echo?msg=foobar")
    assert text == '<a href="/echo?msg=foobar">Temporary Redirect</a>.\n\n'


def test_health_and_readiness_wait_for_the_udp_server(client):
    assert client.get("/healthz") == (412, "")
    assert client.get("/readyz") == (412, "")


def test_dial_asks_another_server_several_times(client):
    host, port = client.at.split(":")
    answer = client.get(f"/dial?host={host}&port={port}&request=hostname&tries=3")
    assert answer == (200, json.dumps({"responses": [NAME] * 3}, separators=(",", ":")))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    _status, text = client.get(f"/dial?host=127.0.0.1&port={free}&request=hostname")
    message = f'Get "http://127.0.0.1:{free}/hostname": dial tcp 127.0.0.1:{free}: connect: connection refused'
    assert json.loads(text) == {"errors": [message]}
    assert client.get("/dial?host=x")[0] == 400
    assert client.get("/dial?host=x&port=1&request=y&protocol=sctp")[1] == "unsupported protocol. sctp\n"


def test_shell_runs_a_command(client):
    assert json.loads(client.get("/shell?cmd=" + quote("echo hi; exit 3"))[1]) == {
        "output": "hi\n",
        "error": "exit status 3",
    }


def test_an_override_answers_every_path(serve):
    client = Client(serve(Netexec("/echo?msg=always&code=500").handle))
    assert client.get("/hostname") == (500, "always")
    client.connection.close()


def test_nonsense_is_a_bad_request(client):
    host, port = client.at.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


def test_a_chunked_body_is_read(client):
    host, port = client.at.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
        raw.sendall(head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n4\r\nmsg=\r\n2\r\nhi\r\n0\r\n\r\n")
        answer = b""
        while more := raw.recv(1000):
            answer += more
    assert answer.endswith(b"\r\n\r\nhi")


def test_udp_knows_three_commands():
    assert udp.reply(b"hostname\n", "a:1") == NAME.encode()
    assert udp.reply(b"echo Hello", "a:1") == b"hello"
    assert udp.reply(b"clientIP", "192.0.2.1:9") == b"192.0.2.1:9"
    assert udp.reply(b"nonsense", "a:1") is None


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("-2s", -2)])
def test_go_durations_are_read(text, seconds):
    assert duration(text) == seconds
    for wrong in ("", "5", "1x", "s"):
        with pytest.raises(ValueError, match="invalid duration"):
            duration(wrong)


def test_a_part_of_agnhost_that_is_not_here_says_so(capsys):
    assert main(["/agnhost", "guestbook"]) == 1
    assert 'unknown command "guestbook"' in capsys.readouterr().err
    assert main(["/agnhost", "help"]) == 0
    assert "netexec" in capsys.readouterr().out


def test_sigterm_ends_it_after_the_delay_and_readyz_says_so_meanwhile():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    code = "import sys; from kubelab.engine.images.agnhost import main; sys.exit(main(sys.argv))"
    flags = [f"--http-port={ports[0]}", f"--udp-port={ports[1]}", "--delay-shutdown", "1"]
    process = subprocess.Popen([sys.executable, "-c", code, "netexec", *flags], stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Started HTTP server" in line:
                break
        client = Client(f"127.0.0.1:{ports[0]}")
        assert client.get("/readyz") == (200, "ok")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        for line in process.stderr:
            if "Sleeping 1 seconds before terminating..." in line:
                break
        assert client.get("/readyz") == (503, "shutting down")
        client.connection.close()
        assert process.wait(5) == 0
        assert time.monotonic() - began >= 0.9


def test_exit_ends_it_with_the_code(monkeypatch):
    def exit_(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", exit_)
    request = Request("GET", "/exit", {}, b"", "a:1", path="/exit", query={"code": ["3"]})
    with pytest.raises(SystemExit, match="3"):
        Netexec().handle(request)
    request.query = {"code": ["x"]}
    assert Netexec().handle(request).body.startswith(b"argument 'code' must be an integer [0-127] or empty")
