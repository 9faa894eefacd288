"""A node through kubectl and the Python client, on a whole cluster: port-forward, proxy, cp, debug, run, logs."""

from __future__ import annotations

import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import kubernetes
import pytest
from kubernetes.stream import portforward

from kubelab.clusters.embedded import EmbeddedCluster

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed"),
]
WEB = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: registry.k8s.io/e2e-test-images/agnhost:2.53
    args: [netexec]
    ports: [{name: http, containerPort: 8080}]
    readinessProbe: {tcpSocket: {port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""


class Kubectl:
    """kubectl on the test's cluster."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.kubeconfig = str(cluster.kubeconfig)
        self._argv = ["kubectl", "--kubeconfig", self.kubeconfig]

    def __call__(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """stdout; the exit code has to be ``code``."""
        done = subprocess.run(
            [*self._argv, *words], input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    @contextmanager
    def forward(self, *words: str, env: dict[str, str] | None = None) -> Iterator[int]:
        """The local port of ``kubectl port-forward``."""
        argv = [*self._argv, "port-forward", "--address", "127.0.0.1", *words]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env) as process:
            try:
                said = process.stdout.readline()
                yield int(said.split(" -> ")[0].rpartition(":")[2])
            finally:
                process.terminate()

    @contextmanager
    def proxy(self) -> Iterator[str]:
        """The address at which ``kubectl proxy`` answers."""
        argv = [*self._argv, "proxy", "--port=0"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield f"http://{process.stdout.readline().split()[-1]}"
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory) -> Iterator[Kubectl]:
    patch = pytest.MonkeyPatch()
    patch.setenv("KUBELAB_HOME", str(tmp_path_factory.mktemp("home")))
    cluster = EmbeddedCluster("kubectl")
    try:
        cluster.up()
        made = Kubectl(cluster)
        made("apply", "-f", "-", stdin=WEB)
        made("wait", "pod/web", "--for=condition=Ready", "--timeout=30s")
        yield made
    finally:
        cluster.down()
        patch.undo()


def get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/hostname", timeout=10) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(("what", "websockets"), [("pod/web", "true"), ("service/web", "true"), ("pod/web", "false")])
def test_ports_of_pods_and_services_are_forwarded_over_websockets_and_spdy(kubectl, what, websockets):
    env = {"KUBECTL_PORT_FORWARD_WEBSOCKETS": websockets, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    with kubectl.forward(what, ":80" if what.startswith("service") else ":8080", env=env) as port:
        assert {get(port) for _ in range(3)} == {"web"}


def test_the_python_client_forwards_a_port_too(kubectl):
    client = kubernetes.config.new_client_from_config(kubectl.kubeconfig)
    with client:
        api = kubernetes.client.CoreV1Api(client)
        forwarding = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports="8080")
        tunnel: socket.socket = forwarding.socket(8080)
        tunnel.settimeout(10)
        tunnel.sendall(b"GET /hostname HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert tunnel.recv(4096).endswith(b"web")
        forwarding.close()


def test_kubectl_proxy_leads_to_services_pods_and_nodes(kubectl):
    default = "/api/v1/namespaces/default"
    with kubectl.proxy() as api:
        for path in ("services/web", "services/web:80", "services/http:web:", "pods/web", "pods/web:8080"):
            with urllib.request.urlopen(f"{api}{default}/{path}/proxy/hostname", timeout=10) as answer:
                assert answer.read() == b"web"
        with urllib.request.urlopen(f"{api}{default}/services/web/proxy/redirect?location=/hostname") as answer:
            assert answer.read() == b"web"
    assert kubectl("get", "--raw", f"{default}/services/web:80/proxy/echo?msg=hello") == "hello"
    assert kubectl("get", "--raw", "/api/v1/nodes/kubectl-worker/proxy/healthz") == "ok"
    assert "lastUpdated" in kubectl("get", "--raw", "/api/v1/nodes/kubectl-worker:10256/proxy/healthz")
    kubectl("get", "--raw", f"{default}/services/web:81/proxy/", code=1)
    kubectl("get", "--raw", f"{default}/pods/web:81/proxy/", code=1)


def test_the_python_client_asks_a_service_by_way_of_the_api(kubectl):
    with kubernetes.config.new_client_from_config(kubectl.kubeconfig) as client:
        api = kubernetes.client.CoreV1Api(client)
        assert api.connect_get_namespaced_service_proxy_with_path("web:80", "default", "hostname") == "web"
        assert api.connect_post_namespaced_pod_proxy_with_path("web:8080", "default", "hostname") == "web"


def test_files_are_copied_into_a_pod_and_out_of_it(kubectl, tmp_path):
    content = bytes(range(256)) * 4000
    (tmp_path / "in").write_bytes(content)
    kubectl("cp", str(tmp_path / "in"), "web:/tmp/file")
    kubectl("cp", "web:/tmp/file", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == content


def test_a_debugger_joins_a_pod_that_runs(kubectl):
    script = "sleep 0.5; curl -s localhost:8080/hostname"
    words = ["debug", "web", "-c", "debugger", "-i", "-q", "--profile=general", "--image=nicolaka/netshoot"]
    kubectl(*words, "--", "sh", "-c", script)
    assert kubectl("logs", "web", "-c", "debugger") == "web"
    refused = ["debug", "web", "--profile=general", "--image=nicolaka/netshoot", "--target=none", "--", "sh"]
    kubectl(*refused, code=1)


def test_what_is_typed_reaches_a_pod_that_runs_for_it_alone(kubectl):
    words = ["run", "-i", "--rm", "-q", "--restart=Never", "--image=python:3.12", "cat", "--command", "--"]
    assert kubectl(*words, "sh", "-c", "cat; exit 3", stdin="hello", code=3).startswith("hello")


def test_there_are_no_metrics_as_in_a_cluster_without_their_server(kubectl):
    kubectl("top", "pod", code=1)
