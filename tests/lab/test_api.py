"""The lab's requests to a server that has its moods."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from kubelab.lab.api import KubeconfigApi
from kubelab.lab.errors import ApiError

BUSY = [429, b'{"kind":"Status","reason":"TooManyRequests","message":"too many"}']
DONE = [200, b'{"kind":"ConfigMap"}']


class Moody(ThreadingHTTPServer):
    """Gives its answers one after the other."""

    daemon_threads = True
    answers: list[list]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, body = self.server.answers.pop(0)
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass


@pytest.fixture
def moody(tmp_path) -> Iterator[tuple[Moody, KubeconfigApi]]:
    server = Moody(("127.0.0.1", 0), Moody.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    named = {"name": "moody"}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "moody",
        "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{**named, "user": {"token": "t"}}],
        "contexts": [{**named, "context": {"cluster": "moody", "user": "moody"}}],
    }  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    yield server, KubeconfigApi(path)
    server.shutdown()
    server.server_close()


def test_a_busy_server_is_asked_again_when_it_says_when(moody) -> None:
    server, api = moody
    server.answers = [BUSY, DONE]
    assert api.request("POST", "/api/v1/namespaces/default/configmaps", body={})["kind"] == "ConfigMap"


def test_one_that_stays_busy_is_not_asked_for_ever(moody) -> None:
    server, api = moody
    server.answers = [BUSY] * 9
    with pytest.raises(ApiError) as refused:
        api.request("POST", "/api/v1/namespaces/default/configmaps", body={})
    assert (refused.value.status, len(server.answers)) == (429, 5)
