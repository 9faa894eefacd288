"""The node agent on the networks that there are, against the API server: real processes, real packets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from kubelab.engine import config
from kubelab.engine.apiserver import ApiServer
from kubelab.engine.client import Client, InProcessTransport, Object
from kubelab.engine.client.resources import CONFIGMAPS, EVENTS, PODS, SERVICEACCOUNTS
from kubelab.engine.network.contract import node
from kubelab.engine.network.start import NoNetwork, start_network
from kubelab.engine.node import NodeAgent, NodeSettings
from kubelab.engine.node.channels import ERROR, STDOUT
from kubelab.engine.node.sessions import Wanted

SPEC = config.nodes()[1]
SERVER = (
    "import http.server, sys\nprint('up', flush=True)\nhttp.server.test(http.server.SimpleHTTPRequestHandler, port=80)"
)


def is_ready(pod: Object) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True"


def restarts(pod: Object) -> int:
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))


class Output:
    """The far end of an exec."""

    def __init__(self) -> None:
        self.got: dict[int, bytes] = {}

    async def send(self, channel: int, data: bytes) -> None:
        self.got[channel] = self.got.get(channel, b"") + data

    async def __aiter__(self):
        await asyncio.Event().wait()
        yield


class Cluster:
    """One node on a real network."""

    def __init__(self, client: Client, network, folder) -> None:
        self.client, self.network = client, network
        self.agent = NodeAgent(client, network, SPEC, NodeSettings(folder))

    async def create(self, name: str, **container) -> None:
        main = {"name": "main", "image": "registry.k8s.io/e2e-test-images/agnhost:2.53", **container}
        volumes = main.pop("volumes", [])
        spec = {"nodeName": SPEC.name, "containers": [main], "volumes": volumes, "terminationGracePeriodSeconds": 1}
        await self.client.create(PODS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})

    async def pod(self, name: str) -> Object:
        return await self.client.get(PODS, name, "default")

    async def all(self, resource) -> list[Object]:
        return (await self.client.list(resource, "default"))["items"]

    async def names(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in await self.all(PODS)]

    async def until(self, ask, condition, seconds: float = 15):
        """Ask again until the condition holds; answers what it held for."""
        async with asyncio.timeout(seconds):
            while not condition(answer := await ask()):  # noqa: ASYNC110 - it lies in another process
                await asyncio.sleep(0.01)
            return answer

    async def ready(self, name: str) -> Object:
        return await self.until(lambda: self.pod(name), is_ready)

    async def execute(self, name: str, *argv: str) -> tuple[str, Object]:
        output = Output()
        async with asyncio.timeout(15):
            await self.agent.api.execute("default", name, "main", argv, Wanted(), output)
        return output.got.get(STDOUT, b"").decode(), json.loads(output.got[ERROR])


@pytest.fixture(params=["root", "user", "interposed"])
async def cluster(request, tmp_path) -> AsyncIterator[Cluster]:
    try:
        network = await start_network(tmp_path, request.param)
    except NoNetwork as refused:
        pytest.skip(str(refused))
    api = ApiServer.open(":memory:")
    try:
        for spec in config.nodes():
            await network.add_node(spec)
        client = Client(InProcessTransport(api, "kubernetes-admin"))
        root = {"metadata": {"name": "kube-root-ca.crt", "namespace": "default"}, "data": {"ca.crt": "PEM"}}
        await client.create(CONFIGMAPS, root)
        await client.create(SERVICEACCOUNTS, {"metadata": {"name": "default", "namespace": "default"}})
        made = Cluster(client, network, tmp_path)
        running = asyncio.create_task(made.agent.run())
        try:
            yield made
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    finally:
        await network.close()
        await api.close()


@pytest.mark.engine
async def test_a_pod_serves_logs_runs_commands_and_ends(cluster):
    probe = {"httpGet": {"path": "/healthz", "port": 8080}}
    await cluster.create("web", args=["netexec"], readinessProbe=probe)
    ip = (await cluster.ready("web"))["status"]["podIP"]
    (await cluster.network.connect(node(SPEC.name), ip, 8080)).close()
    await cluster.create("tool", image="nicolaka/netshoot", command=["sleep", "infinity"])
    await cluster.ready("tool")
    text, status = await cluster.execute("tool", "sh", "-c", f"curl -s http://{ip}:8080/hostname; exit 3")
    assert text == "web"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert (await cluster.execute("tool", "cat", f"{token}/ca.crt", f"{token}/namespace"))[0] == "PEMdefault"
    assert "nameserver 10.96.0.10" in (await cluster.execute("tool", "cat", "/etc/resolv.conf"))[0]
    chunks = cluster.agent.api.logs("default", "web", "main", {})
    assert b"GET /hostname\n" in b"".join([chunk async for chunk in chunks])
    await cluster.client.delete(PODS, "web", "default")
    await cluster.until(lambda: cluster.names(), lambda names: "web" not in names)
    with pytest.raises(OSError):
        await cluster.network.connect(node(SPEC.name), ip, 8080, timeout_seconds=1)


@pytest.mark.engine
async def test_a_lessons_own_server_runs_from_a_configmap_and_is_restarted_when_it_dies(cluster):
    code = {"metadata": {"name": "code", "namespace": "default"}, "data": {"server.py": SERVER}}
    await cluster.client.create(CONFIGMAPS, code)
    await cluster.create(
        "shop",
        image="python:3.12",
        command=["python", "/code/server.py"],
        volumeMounts=[{"name": "code", "mountPath": "/code"}],
        volumes=[{"name": "code", "configMap": {"name": "code"}}],
        readinessProbe={"tcpSocket": {"port": 80}},
    )
    await cluster.ready("shop")
    worker = next(iter(cluster.agent.workers.values()))
    await worker.containers["main"].running.process.signal(9)
    await cluster.until(lambda: cluster.pod("shop"), lambda pod: restarts(pod) == 1)
    pod = await cluster.ready("shop")
    last = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "Error")
    assert b"".join([c async for c in cluster.agent.api.logs("default", "shop", "main", {"previous": "true"})]) != b""


@pytest.mark.engine
async def test_events_are_kubelets(cluster):
    await cluster.create("pause", image="registry.k8s.io/pause:3.10")
    pod = await cluster.ready("pause")
    assert pod["status"]["phase"] == "Running"
    events = await cluster.until(lambda: cluster.all(EVENTS), lambda events: len(events) == 3)
    assert [each["reason"] for each in events] == ["Pulled", "Created", "Started"]
    assert events[0]["involvedObject"]["fieldPath"] == "spec.containers{main}"


@pytest.mark.engine
async def test_a_container_sees_its_nodes_files_read_only_and_leaves_a_last_word(cluster):
    tell = "ls /host/passwd; touch /host/x || echo refused; hostname > /dev/termination-log; exit 3"
    host = {"name": "host", "hostPath": {"path": "/etc", "type": "Directory"}}
    await cluster.create(
        "last",
        image="python:3.12",
        command=["sh", "-c", tell],
        volumeMounts=[{"name": "host", "mountPath": "/host"}],
        volumes=[host],
    )
    pod = await cluster.until(lambda: cluster.pod("last"), lambda pod: restarts(pod) > 0)
    ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["message"]) == (3, "last\n")
    chunks = cluster.agent.api.logs("default", "last", "main", {"previous": "true"})
    text = b"".join([chunk async for chunk in chunks])
    assert text.startswith(b"/host/passwd\n")
    assert b"refused\n" in text  # its complaint goes another way, and may come later


@pytest.mark.engine
async def test_a_debugger_shares_the_network_of_its_pod_and_the_processes_of_its_target(cluster):
    await cluster.create("web", args=["netexec"], readinessProbe={"tcpSocket": {"port": 8080}})
    await cluster.ready("web")
    pod = await cluster.pod("web")
    debugger = {
        "name": "debugger",
        "image": "nicolaka/netshoot",
        "command": ["sh", "-c"],
        "targetContainerName": "main",
    }
    debugger["args"] = ["curl -s localhost:8080/hostname; ps x"]
    change = {"spec": {"ephemeralContainers": [debugger]}}
    path = PODS.path("default", "web", "ephemeralcontainers")
    await cluster.client.send("PATCH", path, body=change, content_type="application/strategic-merge-patch+json")
    ended = await cluster.until(
        lambda: cluster.pod("web"),
        lambda pod: any("terminated" in each["state"] for each in pod["status"].get("ephemeralContainerStatuses", ())),
    )
    assert ended["status"]["ephemeralContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert ended["metadata"]["generation"] == pod["metadata"]["generation"] + 1
    text = b"".join([chunk async for chunk in cluster.agent.api.logs("default", "web", "debugger", {})]).decode()
    assert text.startswith("web")
    assert "netexec" in text
