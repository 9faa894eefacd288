"""A node agent on a network that only pretends, with an API in memory and a clock that the test turns."""

from __future__ import annotations

import asyncio
import base64
import copy
import itertools
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from kubelab.engine.client import ApiRequest, ApiResponse, Client, InProcessTransport
from kubelab.engine.config import NodeSpec
from kubelab.engine.network.contract import Place, StartFailed
from kubelab.engine.node import NodeAgent, NodeSettings

SPEC = NodeSpec("lab-worker", "172.18.0.3", "10.244.1.0/24")
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
KINDS = {"pods": "Pod", "nodes": "Node", "events": "Event", "configmaps": "ConfigMap", "secrets": "Secret"}
KINDS |= {"services": "Service", "leases": "Lease"}


async def eventually(condition: Callable[[], object], seconds: float = 5) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for lies in the API and in the network
            await asyncio.sleep(0.002)


class FakeClock:
    """Stands still until `advance`; `time` may be set, as a machine's can."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
        self._passed = 0.0
        self._sleeping: list[tuple[float, asyncio.Future]] = []

    def now(self) -> datetime:
        return self.time

    def passed(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._sleeping.append((self._passed + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking the sleepers in order."""
        end = self._passed + seconds
        await settle()
        while due := sorted((at, id(f), f) for at, f in self._sleeping if at <= end and not f.done()):
            self._pass(max(due[0][0] - self._passed, 0))
            due[0][2].set_result(None)
            await settle()
        self._sleeping = [(at, f) for at, f in self._sleeping if not f.done()]
        self._pass(end - self._passed)
        await settle()

    def _pass(self, seconds: float) -> None:
        self._passed += seconds
        self.time += timedelta(seconds=seconds)


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(50):
        await asyncio.sleep(0)
    await asyncio.sleep(0.005)
    for _ in range(50):
        await asyncio.sleep(0)


class FakeApi:
    """Enough of the API: create, get, list with spec.nodeName, merge patch, update, graceful delete, watch, tokens."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], dict]] = {plural: {} for plural in KINDS}
        self._version = itertools.count(1)
        self.version = 0
        self._watchers: dict[str, list[asyncio.Queue]] = {plural: [] for plural in KINDS}
        self.patches: list[tuple[str, dict]] = []

    async def handle(self, request: ApiRequest) -> ApiResponse:
        await asyncio.sleep(0)
        parts = request.path.strip("/").split("/")
        parts = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        plural, name, sub = (*parts, None, None)[:3]
        query = dict(request.query)
        body = json.loads(request.body) if request.body else {}
        if sub == "token":
            token = {"token": f"token-for-{name}", "expirationTimestamp": "2026-11-23T13:00:00Z"}
            return self._answer({"status": token})
        if (
            plural in ("configmaps", "secrets")
            and request.method == "GET"
            and not name
            and "fieldSelector" not in query
        ):
            return self._refuse(403, "Forbidden")  # as the Node authorizer does
        if query.get("watch"):
            return ApiResponse(200, self._watch(plural, int(query["resourceVersion"]), query))
        if request.method == "GET" and name is None:
            items = [obj for obj in self.objects[plural].values() if self._selected(obj, query)]
            return self._answer({"metadata": {"resourceVersion": str(self.version)}, "items": copy.deepcopy(items)})
        if request.method == "POST":
            meta = body.setdefault("metadata", {})
            if (namespace, meta["name"]) in self.objects[plural]:
                return self._refuse(409, "AlreadyExists")
            return self._answer(self.put(plural, {**body, "metadata": {**meta, "namespace": namespace}}), 201)
        known = self.objects[plural].get((namespace, name))
        if known is None:
            return self._refuse(404, "NotFound")
        if request.method == "GET":
            return self._answer(known)
        if body.get("metadata", {}).get("uid", known["metadata"]["uid"]) != known["metadata"]["uid"]:
            return self._refuse(409, "Conflict")
        if request.method == "PATCH":
            self.patches.append((f"{plural}/{name}", copy.deepcopy(body)))
            return self._answer(self.put(plural, _merge(copy.deepcopy(known), body)))
        if body.get("preconditions", {}).get("uid", known["metadata"]["uid"]) != known["metadata"]["uid"]:
            return self._refuse(409, "Conflict")
        self.remove(plural, namespace, name)
        return self._answer(known)

    def put(self, plural: str, obj: dict) -> dict:
        """Store an object and tell the watchers."""
        obj = copy.deepcopy(obj)
        meta = obj["metadata"]
        meta.setdefault("namespace", "" if plural == "nodes" else "default")
        key = (meta["namespace"], meta["name"])
        meta.setdefault("uid", f"uid-{meta['name']}")
        self.version = next(self._version)
        meta["resourceVersion"] = str(self.version)
        obj["kind"] = KINDS[plural]
        kind = "MODIFIED" if key in self.objects[plural] else "ADDED"
        self.objects[plural][key] = obj
        self._tell(plural, kind, obj)
        return obj

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Delete at once."""
        gone = copy.deepcopy(self.objects[plural].pop((namespace, name)))
        self.version = next(self._version)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell(plural, "DELETED", gone)

    def _tell(self, plural: str, kind: str, obj: dict) -> None:
        line = json.dumps({"type": kind, "object": obj}).encode() + b"\n"
        for queue in self._watchers[plural]:
            queue.put_nowait((obj, line))

    async def _watch(self, plural: str, since: int, query: dict) -> AsyncIterator[bytes]:
        queue: asyncio.Queue = asyncio.Queue()
        for obj in self.objects[plural].values():
            if int(obj["metadata"]["resourceVersion"]) > since:
                queue.put_nowait((obj, json.dumps({"type": "ADDED", "object": obj}).encode() + b"\n"))
        self._watchers[plural].append(queue)
        try:
            while True:
                obj, line = await queue.get()
                if self._selected(obj, query):
                    yield line
        finally:
            self._watchers[plural].remove(queue)

    def _selected(self, obj: dict, query: dict) -> bool:
        field, _, value = query.get("fieldSelector", "").partition("=")
        if field == "metadata.name":
            return obj["metadata"]["name"] == value
        return field != "spec.nodeName" or obj["spec"].get("nodeName") == value

    def _answer(self, obj: dict, status: int = 200) -> ApiResponse:
        return ApiResponse(status, json.dumps(obj).encode(), {"content-type": "application/json"})

    def _refuse(self, code: int, reason: str) -> ApiResponse:
        return self._answer({"kind": "Status", "code": code, "reason": reason, "message": reason}, code)

    # Reading, in the words of the tests

    def pod(self, name: str = "web") -> dict:
        return self.objects["pods"][("default", name)]

    def status(self, name: str = "web") -> dict:
        return self.objects["pods"].get(("default", name), {}).get("status") or {}

    def container(self, name: str = "web", index: int = 0) -> dict:
        found = self.status(name).get("containerStatuses") or []
        return found[index] if len(found) > index else {"state": {}, "lastState": {}}

    def condition(self, kind: str, name: str = "web") -> dict:
        return next((each for each in self.status(name).get("conditions", ()) if each["type"] == kind), {})

    def events(self) -> list[tuple[str, str]]:
        return [(each["reason"], each["message"]) for each in self.objects["events"].values()]

    def delete_gracefully(self, name: str = "web", seconds: int = 30) -> None:
        pod = copy.deepcopy(self.pod(name))
        pod["metadata"] |= {"deletionTimestamp": "2026-11-23T12:00:30Z", "deletionGracePeriodSeconds": seconds}
        self.put("pods", pod)


def _merge(target: dict, patch: dict) -> dict:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            target[key] = _merge(target.get(key) or {}, value)
        else:
            target[key] = value
    return target


class FakeProcess:
    """Runs until it is told to exit, or gets a signal that it obeys."""

    def __init__(self, number: int, place: Place, program, streams: tuple) -> None:
        self.id = number
        self.place = place
        self.program = program
        self.signals: list[int] = []
        self.ignores: set[int] = set()
        self._streams = [None if file is None else os.dup(file) for file in streams]
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def say(self, text: str, stream: int = 1) -> None:
        os.write(self._streams[stream], text.encode())

    def hear(self) -> bytes:
        return os.read(self._streams[0], 4096)

    def exit(self, code: int) -> None:
        if self._ended.done():
            return
        for file in self._streams:
            if file is not None:
                os.close(file)
        self._ended.set_result(code)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def signal(self, number: int) -> None:
        self.signals.append(number)
        if number not in self.ignores:
            self.exit(0 if number == signal.SIGTERM else 128 + number)


class FakeNetwork:
    """Keeps a record of what it was asked."""

    tier = "root"

    def __init__(self) -> None:
        self.pods: dict[str, str] = {}
        self.processes: list[FakeProcess] = []
        self.answers: dict[tuple[str, int], bytes] = {}
        self.commands: dict[str, tuple[int, str]] = {}
        self.missing: set[str] = set()
        self.ignores: set[int] = set()
        self._peers: list[socket.socket] = []
        self.gone = asyncio.Event()

    async def add_pod(self, uid: str, node: str, ip: str) -> None:
        self.pods[uid] = ip

    async def remove_pod(self, uid: str) -> None:
        self.pods.pop(uid, None)
        for process in self.processes:
            if process.place == ("pod", uid):
                process.exit(137)

    async def start(self, place, program, *, stdin, stdout, stderr) -> FakeProcess:
        await asyncio.sleep(0)
        if program.argv[0] in self.missing:
            raise StartFailed(f'exec: "{program.argv[0]}": executable file not found in $PATH', 127)
        process = FakeProcess(100 + len(self.processes), place, program, (stdin, stdout, stderr))
        process.ignores = set(self.ignores)
        self.processes.append(process)
        if program.join is not None and program.argv[0] in self.commands:
            code, output = self.commands[program.argv[0]]
            process.say(output)
            process.exit(code)
        return process

    async def connect(self, place, ip, port, *, timeout_seconds=5) -> socket.socket:
        if (ip, port) not in self.answers:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        theirs.sendall(self.answers[ip, port])
        self._peers.append(theirs)
        return ours

    async def peer(self, index: int) -> socket.socket:
        """The far end of a connection, in the order of `connect`."""
        await eventually(lambda: len(self._peers) > index)
        return self._peers[index]

    async def lost(self) -> None:
        await self.gone.wait()

    @property
    def mains(self) -> list[FakeProcess]:
        """The containers' own processes, in the order of their start."""
        return [process for process in self.processes if process.program.join is None]

    def close(self) -> None:
        for process in self.processes:
            process.exit(137)
        for peer in self._peers:
            peer.close()

    def answer(self, ip: str, port: int, code: int = 200) -> None:
        self.answers[ip, port] = f"HTTP/1.1 {code} x\r\nContent-Length: 0\r\n\r\n".encode()


class Lab:
    """The agent and everything around it."""

    def __init__(self, tmp_path, api: FakeApi, clock: FakeClock) -> None:
        self.api, self.clock, self.tmp_path = api, clock, tmp_path
        self.network = FakeNetwork()
        self.eventually = eventually
        self.settle = settle

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[NodeAgent]:
        """A running agent on a fresh network."""
        self.network = FakeNetwork()
        client = Client(InProcessTransport(self.api, f"system:node:{SPEC.name}"))
        agent = NodeAgent(client, self.network, SPEC, NodeSettings(self.tmp_path, clock=self.clock))
        running = asyncio.create_task(agent.run())
        try:
            await eventually(lambda: running.done() or agent._pods._listeners)
            yield agent
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self.network.close()

    def make(self, name: str = "web", *, container: dict | None = None, meta: dict | None = None, **spec) -> dict:
        """Store a pod that is bound to the node."""
        main = {"name": name, "image": AGNHOST, "args": ["netexec"], "imagePullPolicy": "IfNotPresent"}
        pod = {
            "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1, **(meta or {})},
            "spec": {
                "nodeName": SPEC.name,
                "containers": [{**main, **(container or {})}],
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                **spec,
            },
            "status": {
                "phase": "Pending",
                "qosClass": "BestEffort",
                "conditions": [
                    {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-23T11:59:00Z"}
                ],
            },
        }
        return self.api.put("pods", pod)

    async def running(self, name: str = "web") -> FakeProcess:
        """Wait until the pod's first container runs; its process."""
        await eventually(lambda: "running" in self.api.container(name)["state"])
        return next(p for p in reversed(self.network.mains) if p.place == ("pod", f"uid-{name}"))

    async def ready(self, name: str = "web") -> None:
        """Wait until the pod is Ready."""
        await eventually(lambda: self.api.condition("Ready", name).get("status") == "True")

    def secret(self, name: str, **data: str) -> None:
        coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.api.put("secrets", {"metadata": {"name": name}, "data": coded})

    def configmap(self, name: str, **data: str) -> None:
        self.api.put("configmaps", {"metadata": {"name": name}, "data": data})


@pytest.fixture
async def lab(tmp_path) -> AsyncIterator[Lab]:
    yield Lab(tmp_path, FakeApi(), FakeClock())
