"""What it means when a cluster does not answer as it should: one sentence, with what to do."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.existing.access import Access, Refused
from tests.clusters.existing.conftest import kubeconfig


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers["authorization"] == "Bearer secret"
        status = (403 if self.path == "/forbidden" else 200) if known else 401
        body = json.dumps({"gitVersion": "v1.36.2", "reason": "Forbidden", "message": "you may not"}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def access(tmp_path, server, token="secret"):
    file = tmp_path / "config"
    file.write_text(kubeconfig(server=server).replace("secret", token))
    return Access(file)


def test_it_asks_with_the_kubeconfigs_credentials(tmp_path, server):
    assert access(tmp_path, server).ask("GET", "/version")["gitVersion"] == "v1.36.2"


def test_expired_credentials_are_said_to_be_that(tmp_path, server):
    with pytest.raises(ClusterError, match=r"does not accept these credentials.*log in to it again"):
        access(tmp_path, server, token="old").ask("GET", "/version")


def test_a_refusal_has_its_status_and_the_servers_words(tmp_path, server):
    with pytest.raises(Refused, match="you may not") as refused:
        access(tmp_path, server).ask("GET", "/forbidden")
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")


def test_a_server_that_is_not_there_is_said_to_be_out_of_reach(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(ClusterError, match=r"cannot be reached \(NewConnectionError\).*VPN"):
            access(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}").ask("GET", "/version")
