import json
import select
import subprocess
import sys
from pathlib import Path

import pytest

from kubelab.lab.testing import fake_lab

TLS_SERVER = Path(__file__).with_name("tls_server.py")


@pytest.fixture
def lab_with_web():
    """A lab in memory with three pods `web` and a Service in front of them."""
    lab = fake_lab()
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "python:3.12"}]}}
    deployment = {"replicas": 3, "selector": {"matchLabels": labels}, "template": pod}
    lab.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": deployment})
    service = {"selector": labels, "ports": [{"port": 80}]}
    lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": service})
    return lab


class Process:
    """A process as `kubelab.clusters.conversation.Conversation` has it."""

    def __init__(self, argv):
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0)

    def send(self, text):
        try:
            self._process.stdin.write(text.encode())
        except BrokenPipeError:
            return

    def lines(self, timeout_seconds):
        rest = b""
        while True:
            *whole, rest = rest.split(b"\n")
            yield from (line.decode() for line in whole)
            if not select.select([self._process.stdout], [], [], timeout_seconds)[0]:
                raise TimeoutError
            more = self._process.stdout.read(1 << 16)
            if not more:
                return
            rest += more

    @property
    def stderr(self):
        return self._process.stderr.read().decode()

    def close(self):
        self._process.kill()
        self._process.wait(10)
        for file in (self._process.stdin, self._process.stdout, self._process.stderr):
            file.close()


class Here:
    """The outside: this machine."""

    name = "outside"

    def talk(self, argv):
        return Process([sys.executable, *argv[1:]])

    def run(self, argv, *, stdin="", timeout_seconds=30.0):
        raise NotImplementedError


class TlsServer:
    """Serves by SNI what it is given: name → an `Issued`; ``""`` is the default."""

    def __init__(self, issued):
        self._process = Process([sys.executable, str(TLS_SERVER)])
        self._lines = self._process.lines(20)
        self.port = int(self.serve(issued))

    def serve(self, issued):
        self._process.send(json.dumps({name: (each.pem, each.key) for name, each in issued.items()}) + "\n")
        return next(self._lines)

    def close(self):
        self._process.close()


@pytest.fixture(scope="module")
def tls_lab():
    """A lab in memory whose outside is this machine."""
    lab = fake_lab()
    lab.cluster = type("Cluster", (type(lab.cluster),), {"outside": Here()})()
    return lab


@pytest.fixture(scope="module")
def tls_server():
    """Starts real TLS servers: ``tls_server({"shop.test": issued, "": default})``."""
    servers = []

    def start(issued):
        servers.append(TlsServer(issued))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
