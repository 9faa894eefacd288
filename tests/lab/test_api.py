"""The lab's requests to a server that has its moods."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from kubelab.lab.api import KubeconfigApi
from kubelab.lab.errors import ApiError, NotFound

BUSY = [429, b'{"kind":"Status","reason":"TooManyRequests","message":"too many"}']
LEADERLESS = [500, b'{"kind":"Status","reason":"InternalError","message":"etcdserver: leader changed"}']
GONE = [404, b'{"kind":"Status","reason":"NotFound","message":"not found"}']
DONE = [200, b'{"kind":"ConfigMap"}']


class Moody(ThreadingHTTPServer):
    """Gives its answers one after the other."""

    daemon_threads = True
    answers: list[list]
    asked: list[str]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.server.asked.append(self.command)
            status, body = self.server.answers.pop(0)
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *args: object) -> None:
            pass


@pytest.fixture
def moody(tmp_path, monkeypatch) -> Iterator[tuple[Moody, KubeconfigApi]]:
    server = Moody(("127.0.0.1", 0), Moody.Handler)
    server.asked = []
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
    monkeypatch.setattr("kubelab.lab.api.PAUSES_SECONDS", (0, 0, 0))
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


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_control_plane_between_two_leaders_is_asked_again(moody, method) -> None:
    server, api = moody
    server.answers = [LEADERLESS, LEADERLESS, DONE]
    assert api.request(method, "/api/v1/namespaces/default/configmaps/a")["kind"] == "ConfigMap"


def test_but_not_to_make_something_which_it_may_have_made(moody) -> None:
    server, api = moody
    server.answers = [LEADERLESS, DONE]
    with pytest.raises(ApiError, match="leader changed") as refused:
        api.request("POST", "/api/v1/namespaces/default/configmaps", body={})
    assert refused.value.passes
    assert server.asked == ["POST"]


def test_a_question_that_is_posted_is_asked_again(moody) -> None:
    server, api = moody
    server.answers = [LEADERLESS, DONE]
    api.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body={})
    assert server.asked == ["POST"] * 2


def test_what_is_gone_after_a_lost_answer_has_been_deleted(moody) -> None:
    server, api = moody
    server.answers = [LEADERLESS, GONE, GONE]
    api.request("DELETE", "/api/v1/namespaces/default/configmaps/a")
    with pytest.raises(NotFound):
        api.request("DELETE", "/api/v1/namespaces/default/configmaps/a")


def test_a_watch_is_asked_for_again_too(moody) -> None:
    server, api = moody
    server.answers = [LEADERLESS, [200, b'{"type":"BOOKMARK"}']]
    assert list(api.lines("/api/v1/pods", {"watch": "true"})) == ['{"type":"BOOKMARK"}']
