"""`lab.requests`: real requests by host name to real servers on this machine, and who answered them."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kubelab.clusters.base import Finished
from kubelab.lab import Lab
from kubelab.lab.errors import LabError
from kubelab.lab.requests import Reply, Requests
from kubelab.lab.testing import FakeApi, FakeCluster, FakeLab

HOST = "shop.example.test"
HERE = "127.0.0.1"


class Here:
    """The outside: this machine."""

    name = "outside"

    def run(self, argv, *, stdin="", timeout_seconds=30.0):
        done = subprocess.run([sys.executable, *argv[1:]], input=stdin, capture_output=True, text=True, timeout=30)
        return Finished(done.returncode, done.stdout, done.stderr)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        arrived = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        target = self.requestline.split()[1]
        code = int(target[1:]) if target[1:].isdigit() else 200
        pod = self.server.pods[len(self.server.seen) % len(self.server.pods)] if self.server.pods else None
        self.server.seen.append((self.command, target, dict(self.headers), arrived, self.client_address[1]))
        said = json.dumps(pod) if code == 200 and pod else "nobody\n"
        self.send_response(code)
        self.send_header("Content-Length", str(len(said)))
        if code == 301:
            self.send_header("Location", "https://elsewhere.test/")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.encode())

    do_GET = do_POST = do_HEAD = do_OPTIONS = answer

    def log_message(self, *args):
        """Nothing."""


def serve(wrap=lambda sock: sock):
    server = ThreadingHTTPServer((HERE, 0), Handler)
    server.daemon_threads = True
    server.seen, server.pods = [], []
    server.socket = wrap(server.socket)
    server.handle_error = lambda *_: None  # a client that does not trust hangs up
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server():
    yield from serve()


class SendingLab(FakeLab):
    """Objects in memory, real requests."""

    requests = Lab.requests


@pytest.fixture(scope="module")
def lab():
    lab = SendingLab(type("Cluster", (FakeCluster,), {"outside": Here()})(), FakeApi(), "lesson")
    for name, replicas in (("web", 3), ("canary", 1)):
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "python:3.12"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        lab.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
        service = {"selector": labels, "ports": [{"port": 80}]}
        lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service})
    return lab


def pods(lab, name):
    return [{"pod": pod.name, "uid": pod.uid} for pod in lab.pods(f"app={name}")]


def url(server, target="/", scheme="http", host=HOST):
    return f"{scheme}://{host}:{server.server_address[1]}{target}"


def test_a_request_arrives_as_it_is_written_under_the_urls_host(lab, server):
    lab.requests(url(server, "/a/../b//%66?q=%2F"), method="POST", headers={"X-Team": "red"}, body="salt", address=HERE)
    ((method, target, headers, body, _),) = server.seen
    assert (method, target, body) == ("POST", "/a/../b//%66?q=%2F", "salt")
    assert headers == {
        "Host": f"{HOST}:{server.server_address[1]}", "Content-Length": "4", "Connection": "close", "X-Team": "red",
    }  # fmt: skip


def test_a_host_header_of_ones_own_takes_the_place_of_the_urls(lab, server):
    lab.requests(url(server), headers={"Host": "other.test"}, address=HERE)
    assert server.seen[0][2]["Host"] == "other.test"


def test_who_answered_is_told_by_alias_deployment_and_service(lab, server):
    server.pods = pods(lab, "web")
    replies = lab.requests(url(server), n=6, address=HERE)
    assert replies.pods == {"web-1": 2, "web-2": 2, "web-3": 2}
    assert replies.counts == {"web": 6}
    assert (replies[0].workload, replies[0].services) == ("web", ("web",))
    assert repr(replies) == f"Requests(6 × {url(server)}: web)"
    assert replies.fair(3)


def test_what_no_pod_answers_shows_its_code_and_where_it_leads(lab, server):
    targets = ("/404", "/301", "/503", "/")
    replies = lab.requests(*(url(server, target) for target in targets), address=HERE)
    assert [reply.words for reply in replies] == ["404", "301 https://elsewhere.test/", "503", "200"]
    assert [reply.ok for reply in replies] == [True, True, False, True]
    assert replies[0].body == "nobody\n"
    assert len(server.seen) == 4  # the redirect was not followed


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_are_sent_and_answered(lab, server, method):
    replies = lab.requests(url(server), n=2, method=method, keep=True, address=HERE)
    assert [reply.code for reply in replies] == [200, 200]
    assert repr(replies) == f"Requests(2 × {method} {url(server)}: 200)"


def test_a_kept_connection_is_used_again_and_by_default_none_is(lab, server):
    lab.requests(url(server), n=4, keep=True, address=HERE)
    assert len({seen[4] for seen in server.seen}) == 1
    server.seen.clear()
    lab.requests(url(server), n=4, address=HERE)
    assert len({seen[4] for seen in server.seen}) == 4


def test_at_a_rate_every_request_is_sent(lab, server):
    assert len(lab.requests(url(server), url(server, "/x"), n=20, rate=1000, address=HERE)) == 40
    assert len(server.seen) == 40


def test_what_is_not_answered_says_why(lab):
    with socket.create_server((HERE, 0)) as silent:
        port = silent.getsockname()[1]
        assert lab.requests(f"http://{HOST}:{port}/", address=HERE, timeout=0.1).words == "timeout"
    assert lab.requests(f"http://{HOST}:{port}/", address=HERE).words == "refused"


@pytest.mark.parametrize("wrong", ["http:///path", "ftp://x/", "http://x/ä", "http://x/a b"])
def test_what_cannot_be_sent_is_said_before_anything_is(lab, wrong):
    with pytest.raises(LabError, match="write"):
        lab.requests(wrong, address=HERE)


@pytest.mark.parametrize(
    "how",
    [{"n": 0}, {"rate": 0}, {"timeout": -1}, {"method": "G ET"}, {"headers": {"": "x"}}, {"headers": {"X": "a\r\nb"}}],
    ids=str,
)
def test_how_nothing_can_be_sent_is_said_in_a_sentence(lab, how):
    with pytest.raises(LabError, match=r"must be more than nothing|is no method|is no header"):
        lab.requests(f"http://{HOST}/", address=HERE, **how)


def test_without_an_address_it_goes_where_ingress_traffic_enters(lab, server):
    path = "/apis/networking.k8s.io/v1/namespaces/lesson/ingresses/shop"
    lab.api.objects[path] = {
        "metadata": {"name": "shop", "namespace": "lesson"},
        "spec": {"rules": [{"host": HOST}]},
        "status": {"loadBalancer": {"ingress": [{"ip": HERE}]}},
    }
    try:
        assert lab.requests(url(server)).words == "200"
    finally:
        del lab.api.objects[path]


class TestTLS:
    @pytest.fixture
    def secure(self, lab, tmp_path):
        def wrap(sock):
            issued = lab.certificate(HOST, "*.wild.test").issued
            file = tmp_path / "server.pem"
            file.write_text(issued.pem + issued.key)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(file)
            return context.wrap_socket(sock, server_side=True)

        yield from serve(wrap)

    def test_a_certificate_of_the_course_ca_for_this_host_is_trusted(self, lab, secure):
        for host in (HOST, "a.wild.test"):
            (reply,) = lab.requests(url(secure, "/", "https", host), address=HERE)
            assert (reply.code, reply.verified, reply.why_not) == (200, True, "")

    def test_one_for_another_host_ends_the_request_before_it_is_sent(self, lab, secure):
        (reply,) = lab.requests(url(secure, "/", "https", "other.test"), address=HERE)
        assert (reply.code, reply.verified, reply.words) == (None, False, "not trusted: hostname mismatch")
        assert not secure.seen

    def test_who_does_not_verify_is_answered_and_told_all_the_same(self, lab, secure):
        other = url(secure, "/", "https", "other.test")
        (reply,) = lab.requests(other, address=HERE, verify=False)
        assert (reply.code, reply.verified) == (200, False)
        assert repr(reply) == f"Reply({other}: 200, not trusted: hostname mismatch)"

    def test_where_no_tls_is_spoken_there_is_none(self, lab, server):
        assert lab.requests(url(server, "/", "https"), address=HERE).words == "no TLS"


class TestShares:
    def replies(self, **counts):
        return Requests(
            Reply("http://a.test/", code=200, services=(name,), workload=name)
            for name in counts
            for _ in range(counts[name])
        )

    def test_weights_are_kept_up_to_chance(self):
        assert self.replies(web=905, canary=95).follows({"web": 90, "canary": 10})
        assert not self.replies(web=500, canary=500).follows({"web": 90, "canary": 10})
        shares = self.replies(web=100).follows({"web": 100, "canary": 0})
        assert shares and repr(shares) == "Shares(web 100%, canary 0%: as weighted; a false alarm once in 1000 runs)"

    def test_what_has_no_weight_may_not_answer_and_nobody_else_may(self):
        assert not self.replies(web=999, canary=1).follows({"web": 1, "canary": 0})
        assert not self.replies(web=999, canary=1).follows({"web": 1})

    def test_several_requests_are_a_table_without_counts_of_chance(self):
        mixed = Requests([*self.replies(web=9, canary=1), Reply("http://a.test/x", code=404)])
        assert repr(mixed) == "Requests(\n  http://a.test/   10 × canary and web\n  http://a.test/x  404\n)"
        assert mixed.share("404") == pytest.approx(1 / 11)
