"""A whole cluster on a control plane of processes: certificates, relay, egress, identities, restarts, real traffic.

The processes are stand-ins (`tests/engine/controlplane/standins`) where a test does not ask for Kubernetes' own.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import os
import shutil
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.descendants import below
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.engine.client import ApiError, Client, HttpsTransport
from kubelab.lab.api import KubeconfigApi
from kubelab.lab.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [netexec, --http-port=8080]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""


def install(folder: Path, names: tuple[str, ...], **moods: Any) -> Path:
    spec = importlib.util.spec_from_file_location("standins", Path(__file__).parents[1] / "standins" / "installing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.install(folder, names, **moods)


def a_cluster(folder: Path, programs: Path, tier: str | None = None) -> Iterator[EmbeddedCluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBELAB_HOME", str(folder))
        patch.setenv("KUBEBUILDER_ASSETS", str(programs))
        patch.delenv("CONDA_PREFIX", raising=False)
        cluster = EmbeddedCluster("upstream", control_plane="upstream", tier=tier)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.down()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """All four programs beside the engine."""
    folder = tmp_path_factory.mktemp("upstream")
    yield from a_cluster(folder / "home", install(folder / "bin", PROGRAMS))


def ask(cluster: EmbeddedCluster, user: str, method: str, path: str, **more: Any) -> Any:
    """As whoever has that user's certificate."""
    pki = cluster.state.pki

    async def once() -> Any:
        transport = HttpsTransport(
            cluster.facts()["server"],
            ca_file=str(pki / "ca.crt"),
            certificate=str(pki / f"user-{user.replace(':', '-')}.crt"),
            key=str(pki / f"user-{user.replace(':', '-')}.key"),
        )
        client = Client(transport)
        try:
            return await client.send(method, path, **more)
        finally:
            await client.close()

    return asyncio.run(once())


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)
    return found


def pid_of(cluster: EmbeddedCluster, program: str) -> int:
    """Of a stand-in of this engine."""
    script = f"{program.replace('-', '_')}.py"
    for pid in below(cluster.state.engine_pid()):
        try:
            if any(part.endswith(script) for part in Path(f"/proc/{pid}/cmdline").read_text().split("\0")):
                return pid
        except FileNotFoundError:
            continue
    return 0


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def serves(cluster: EmbeddedCluster) -> None:
    """Pods run, are answered for under the Service's name and its outside address, and can be looked into."""
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
    lab.apply(WEB)
    lab.wait("deployment/web", "available", timeout=90)
    pod = lab.pods("app=web")[0]
    assert lab.exec(pod, ["hostname"]).stdout.strip() == pod.name
    assert "8080" in lab.logs(pod)
    address = until(lambda: (lab.get("service/web")["status"].get("loadBalancer") or {}).get("ingress"))[0]["ip"]
    for url in ("http://web/hostname", f"http://{address}/hostname"):
        place = cluster.outside if address in url else None
        argv = ["curl", "-s", "-m", "2", url]
        said = until(lambda place=place, argv=argv: (place.run(argv) if place else lab.exec(pod, argv)).stdout.strip())
        assert said.startswith("web-")


def test_a_deployment_is_served_and_looked_into(cluster):
    serves(cluster)
    said = (cluster.state.component_logs / "kube-apiserver.log").read_text()
    assert "egress localhost:" in said  # logs and exec went through the engine's proxy


def test_the_service_kubernetes_leads_to_the_process(cluster):
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
    done = cluster.nodes()[1].run(["curl", "-sk", "-m", "5", "https://10.96.0.1/version"])
    assert '"minor"' in done.stdout
    (subset,) = lab.get("endpoints/kubernetes")["subsets"]
    assert subset["addresses"] == [{"ip": "172.18.0.2"}] and subset["ports"][0]["port"] == 6443


def test_a_part_of_the_engine_has_upstream_s_rights_and_no_others(cluster):
    assert ask(cluster, "system:kube-proxy", "GET", "/api/v1/services")["items"]
    for user, path in (
        ("system:kube-proxy", "/api/v1/secrets"),
        ("system:node:upstream-worker", "/api/v1/secrets"),
        ("system:node:upstream-worker", "/api/v1/pods"),
        ("system:cloud-controller-manager", "/api/v1/pods"),
    ):
        with pytest.raises(ApiError) as refused:
            ask(cluster, user, "GET", path)
        assert refused.value.code == 403, (user, path)


def test_the_store_answers_only_to_the_api_server_s_certificate(cluster):
    pki = cluster.state.pki
    url = next(part for part in _argv(cluster, "etcd") if part.startswith("--listen-client-urls=")).partition("=")[2]

    def health(cert: str) -> int:
        context = ssl.create_default_context(cafile=str(pki / "etcd-ca.crt"))
        if cert:
            context.load_cert_chain(pki / f"{cert}.crt", pki / f"{cert}.key")
        where = url.removeprefix("https://")
        with closing(http.client.HTTPSConnection(where, context=context, timeout=10)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status

    assert health("apiserver-etcd-client") == 200
    for other in ("", "user-kubernetes-admin"):
        with pytest.raises(OSError):
            health(other)


def _argv(cluster: EmbeddedCluster, program: str) -> list[str]:
    return Path(f"/proc/{pid_of(cluster, program)}/cmdline").read_text().split("\0")


def test_no_secret_is_on_a_command_line_and_nothing_is_readable_by_others(cluster):
    token = cluster.state.token.read_text()
    assert all(token not in part for program in PROGRAMS for part in _argv(cluster, program))
    assert cluster.state.root.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in cluster.state.pki.iterdir())


def test_status_says_what_the_control_plane_is(cluster):
    assert cluster.status().running
    assert "its control plane is upstream's (etcd 3.6.4, kube-apiserver 1.36.2, " in cluster.status().detail


def test_another_control_plane_is_not_what_runs(cluster):
    other = EmbeddedCluster("upstream", control_plane="built-in")
    with pytest.raises(ClusterError, match="runs already, with the upstream control plane"):
        other.up()


def test_reset_empties_it_and_the_mode_can_be_switched(cluster):
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
    lab.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\n")
    cluster.reset()
    assert [each["metadata"]["name"] for each in lab.find("configmaps")] == ["kube-root-ca.crt"]
    before = cluster.proxy_mode
    cluster.set_proxy_mode("nftables")
    assert cluster.proxy_mode == "nftables"
    cluster.set_proxy_mode(before)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_dies_is_started_again(cluster, program):
    first = pid_of(cluster, program)
    os.kill(first, signal.SIGKILL)
    until(lambda: pid_of(cluster, program) not in (0, first))
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")

    def answers() -> bool:
        try:
            return bool(lab.find("configmaps"))
        except Exception:
            return False

    until(answers)


def test_a_killed_engine_leaves_no_process_and_the_next_one_finds_the_objects(cluster):
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
    lab.apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\n")
    pids = [pid_of(cluster, program) for program in PROGRAMS]
    assert all(pids)
    os.kill(cluster.state.engine_pid(), signal.SIGKILL)
    until(lambda: all(map(is_gone, pids)))
    cluster.up()
    lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
    assert lab.get("configmap/kept")


def test_where_there_are_only_etcd_and_kube_apiserver_ours_stand_in_for_the_rest_and_that_as_a_plain_user_too(tmp_path):
    for cluster in a_cluster(tmp_path / "home", install(tmp_path / "assets", PROGRAMS[:2]), tier="user"):
        assert "the built-in one stands in for kube-controller-manager and kube-scheduler" in cluster.status().detail
        serves(cluster)


INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: kubelab
  rules:
  - host: web.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
"""


@pytest.mark.timeout(420)
def test_no_client_leans_on_what_our_api_server_does_and_upstream_s_need_not(tmp_path):
    """Late and broken-off watches, lost answers, refusals, Go's JSON: see `standins/caprices`; the seed can be drawn
    again with KUBELAB_STANDINS_CAPRICE."""
    seed = os.environ.get("KUBELAB_STANDINS_CAPRICE", "one")
    for cluster in a_cluster(tmp_path / "home", install(tmp_path / "bin", PROGRAMS, caprice=seed, slowness=0.1)):
        serves(cluster)
        lab = Lab(cluster, KubeconfigApi(cluster.kubeconfig), "default")
        lab.apply(INGRESS)
        lab.wait("ingress/web", "answers", timeout=120)
        lab.apply(WEB.replace("replicas: 2", "replicas: 3").replace("periodSeconds: 1", "periodSeconds: 2"))
        lab.wait("deployment/web", "available", timeout=120)
        cluster.set_proxy_mode("nftables")
        lab.wait("service/web", "answers", timeout=120)
        assert lab.probe("web", n=30).success == 1
        (slice_,) = lab.find("endpointslices", "kubernetes.io/service-name=empty")
        assert slice_["endpoints"] is None, "as Go writes it: the server is a capricious one"
        assert not lab.endpoints("empty").ready
        cluster.reset()
        assert [each["metadata"]["name"] for each in lab.find("configmaps")] == ["kube-root-ca.crt"]


@pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)),
    reason="Kubernetes' own programs are not on PATH: `conda install -c conda-forge etcd kubernetes-server`",
)
def test_on_kubernetes_own_programs(tmp_path):
    for cluster in a_cluster(tmp_path / "home", Path("/nonexistent")):
        serves(cluster)
        cluster.reset()
