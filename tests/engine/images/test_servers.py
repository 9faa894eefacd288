"""The stand-ins for tutorials' web servers: what a learner sees of them, and that they say whose they are."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys

import pytest

from kubelab.engine.images.servers.files import Site
from kubelab.engine.images.servers.serving import options, port_of

RUN = "import sys; from kubelab.engine.images.servers import echoes, files; sys.exit({}(sys.argv))"
NAME = socket.gethostname()


class Asked:
    def __init__(self, at: str) -> None:
        self._at = at

    def __call__(self, target: str, method: str = "GET", body: bytes | None = None, **headers: str):
        connection = http.client.HTTPConnection(self._at, timeout=5)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers
        finally:
            connection.close()


@pytest.fixture
def site(tmp_path, serve) -> Asked:
    (tmp_path / "index.html").write_text("home")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "style.css").write_text("css")
    return Asked(serve(Site(str(tmp_path), "nginx (kubelab stand-in)").handle))


@pytest.fixture
def program():
    """Start one of the programs on a free port; answers how to ask it, and its process."""
    started = []

    def start(function: str, *argv: str, port: str, log_says: str, **env: str) -> tuple[Asked, subprocess.Popen]:
        command = [sys.executable, "-c", RUN.format(function), *argv]
        process = subprocess.Popen(
            command, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        assert log_says in process.stderr.readline()
        return Asked(f"127.0.0.1:{port}"), process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return str(taken.getsockname()[1])


def test_files_are_served_with_their_types_and_the_server_says_that_it_is_a_stand_in(site):
    status, body, headers = site("/")
    assert (status, body, headers["Content-Type"], headers["Server"]) == (
        200, "home", "text/html", "nginx (kubelab stand-in)"
    )  # fmt: skip
    assert site("/shop/style.css")[2]["Content-Type"] == "text/css"


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/none", 404), ("GET", "/shop/", 403), ("POST", "/", 405), ("GET", "/../../etc/passwd", 404)],
)
def test_what_is_not_there_or_not_allowed_is_refused(site, method, target, status):
    found, body, headers = site(target, method)
    assert (found, headers["Server"]) == (status, "nginx (kubelab stand-in)")
    assert f"<h1>{status} " in body


def test_a_folder_is_called_by_its_whole_name_and_what_is_known_is_not_sent_again(site):
    status, _, headers = site("/shop", Host="shop.example")
    assert (status, headers["Location"]) == (301, "http://shop.example/shop/")
    known = site("/")[2]["ETag"]
    assert site("/", **{"If-None-Match": known})[:2] == (304, "")


def test_the_log_is_nginxs(site, capfd):
    site("/none?a=b", **{"User-Agent": "probe/1", "X-Forwarded-For": "192.0.2.7"})
    line = capfd.readouterr().out
    assert line.startswith("127.0.0.1 - - [")
    assert '] "GET /none?a=b HTTP/1.1" 404 ' in line
    assert line.endswith(' "-" "probe/1" "192.0.2.7"\n')


def test_http_echo_says_its_text_and_ends_when_it_is_told(program, free_port):
    ask, process = program(
        "echoes.http_echo", "-text=apple", f"-listen=:{free_port}", port=free_port, log_says="[INFO]"
    )
    assert ask("/any")[:2] == (200, "apple\n")
    assert ask("/health")[1] == '{"status":"ok"}\n'
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0


def test_http_echo_without_a_text_says_what_is_missing():
    ran = subprocess.run([sys.executable, "-c", RUN.format("echoes.http_echo")], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (127, "Missing -text option!\n")


def test_whoami_tells_who_it_is_and_what_it_was_asked(program, free_port):
    ask, _ = program(
        "echoes.whoami", port=free_port, log_says="Starting", WHOAMI_PORT_NUMBER=free_port, WHOAMI_NAME="a"
    )
    lines = ask("/x?y=1", **{"X-Real-Ip": "192.0.2.1"})[1].splitlines()
    assert lines[:3] == ["Name: a", f"Hostname: {NAME}", "IP: 127.0.0.1"]
    assert {"GET /x?y=1 HTTP/1.1", f"Host: 127.0.0.1:{free_port}", "X-Real-Ip: 192.0.2.1"} <= set(lines)
    assert ask("/health", "POST", b"503")[0] == 200
    assert ask("/health")[0] == 503


@pytest.mark.parametrize(
    ("function", "image", "words"),
    [
        ("hello_app", "gcr.io/google-samples/hello-app:2.0", f"Hello, world!\nVersion: 2.0.0\nHostname: {NAME}\n"),
        ("echo_server", "kicbase/echo-server:1.0", f"Request served by {NAME}\n\nHTTP/1.1 GET /x\n"),
    ],
)
def test_servers_with_a_port_in_their_environment(program, free_port, function, image, words):
    ask, _ = program(f"echoes.{function}", port=free_port, log_says="listening", PORT=free_port, KUBELAB_IMAGE=image)
    assert words in ask("/x")[1]


def test_nginxs_entry_point_runs_what_it_is_given():
    code = RUN.format("files.nginx").replace("sys.argv", "['/docker-entrypoint.sh', 'echo', 'hi']")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "hi\n"


def test_options_are_read_as_go_reads_them(capsys):
    known = {"text": "", "listen": ":80"}
    assert options(["-text", "a b", "--listen=:1"], known) == {"text": "a b", "listen": ":1"}
    assert options(["-colour=red"], known) is None
    assert "there are -text, -listen" in capsys.readouterr().err
    assert port_of("0.0.0.0:99") == 99


def test_pods_find_nginx_on_their_path(tmp_path):
    from kubelab.engine import images

    ran = subprocess.run([images.install_links(tmp_path) / "nginx", "-v"], capture_output=True, text=True)
    assert ran.stderr == "nginx version: nginx (kubelab stand-in)\n"
