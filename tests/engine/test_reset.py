"""What a reset does to what is no object of a namespace."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from kubelab.engine import marking
from kubelab.engine.apiserver import ApiServer
from kubelab.engine.client import Client, InProcessTransport
from kubelab.engine.client.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    VALIDATINGADMISSIONPOLICIES,
    VALIDATINGADMISSIONPOLICYBINDINGS,
)
from kubelab.engine.control.server import Call
from kubelab.engine.engine import Engine
from kubelab.engine.options import Options
from kubelab.engine.reset import reset

ROLE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
HOSTNAME = "kubernetes.io/hostname"


@pytest.fixture
async def client():
    server = ApiServer.open(":memory:")
    yield Client(InProcessTransport(server, "kubernetes-admin"))
    await server.close()


async def restored(client: Client, labels: dict[str, str], **spec: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Labels and spec of a node after a reset."""
    await client.create(NODES, {"metadata": {"name": "n", "labels": {HOSTNAME: "n", **labels}}, "spec": spec})
    await reset(client)
    node = await client.get(NODES, "n")
    return node["metadata"]["labels"], node["spec"]


async def test_a_cordoned_node_takes_pods_again(client) -> None:
    _, spec = await restored(client, {}, unschedulable=True)
    assert "unschedulable" not in spec


async def test_labels_and_taints_that_learners_gave_are_gone(client) -> None:
    given = {
        "topology.kubernetes.io/zone": "a",
        "disk": "ssd",
        "node.kubernetes.io/exclude-from-external-load-balancers": "",
    }
    labels, spec = await restored(client, given, taints=[{"key": "mine", "effect": "NoExecute"}])
    assert (labels, "taints" in spec) == ({HOSTNAME: "n"}, False)


async def test_the_control_plane_stays_what_it_is(client) -> None:
    labels, spec = await restored(client, marking.LABELS, taints=[ROLE_TAINT, {"key": "mine", "effect": "NoExecute"}])
    assert (labels, spec["taints"]) == ({HOSTNAME: "n", **marking.LABELS}, [ROLE_TAINT])


async def test_a_node_that_is_silent_keeps_the_taint_that_says_so(client) -> None:
    silent = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    assert (await restored(client, {}, taints=[silent]))[1]["taints"] == [silent]


async def test_policies_go_before_they_can_forbid_anything(client) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": "false"}]}
    await client.create(CONFIGMAPS, {"metadata": {"name": "mine"}}, "default")
    await client.create(VALIDATINGADMISSIONPOLICIES, {"metadata": {"name": "never"}, "spec": spec})
    bound = {"policyName": "never", "validationActions": ["Deny"]}
    await client.create(VALIDATINGADMISSIONPOLICYBINDINGS, {"metadata": {"name": "everywhere"}, "spec": bound})
    async with asyncio.timeout(10):
        await reset(client)
    for resource in (VALIDATINGADMISSIONPOLICIES, VALIDATINGADMISSIONPOLICYBINDINGS):
        assert (await client.list(resource))["items"] == []
    assert "mine" not in [each["metadata"]["name"] for each in (await client.list(CONFIGMAPS, "default"))["items"]]


async def test_pod_security_is_lifted_where_the_namespace_stays(client) -> None:
    strict = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    for name in ("default", "kube-system"):
        await client.patch(NAMESPACES, name, strict)
    await reset(client)
    for name in ("default", "kube-system"):
        assert (await client.get(NAMESPACES, name))["metadata"]["labels"] == {"kubernetes.io/metadata.name": name}


async def test_finalizers_that_nobody_serves_do_not_hold_a_reset_up(client) -> None:
    await client.create(CONFIGMAPS, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}, "default")
    async with asyncio.timeout(10):
        await reset(client)
    assert "held" not in [each["metadata"]["name"] for each in (await client.list(CONFIGMAPS, "default"))["items"]]


async def test_the_name_server_is_as_it_came(client) -> None:
    await reset(client)
    whole = {resource: await client.get(resource, "coredns", "kube-system") for resource in (CONFIGMAPS, DEPLOYMENTS)}
    await client.patch(CONFIGMAPS, "coredns", {"data": {"Corefile": "nonsense"}}, "kube-system")
    await client.patch(DEPLOYMENTS, "coredns", {"spec": {"replicas": 0}}, "kube-system")
    await reset(client)
    config = await client.get(CONFIGMAPS, "coredns", "kube-system")
    assert config["data"] == whole[CONFIGMAPS]["data"]
    assert (await client.get(DEPLOYMENTS, "coredns", "kube-system"))["spec"] == whole[DEPLOYMENTS]["spec"]


async def test_resetting_twice_rolls_nothing_out(client) -> None:
    await reset(client)
    before = await client.get(DEPLOYMENTS, "coredns", "kube-system")
    await reset(client)
    after = await client.get(DEPLOYMENTS, "coredns", "kube-system")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


async def test_a_reset_goes_on_when_whoever_asked_for_it_has_gone(tmp_path, monkeypatch) -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_client) -> None:
        begun.set()
        await go_on.wait()
        done.set()

    engine = Engine(Options("demo", tmp_path))
    monkeypatch.setattr("kubelab.engine.engine.reset", slow)
    monkeypatch.setattr(engine, "_client", lambda _user: None)
    monkeypatch.setattr(engine, "_this_world", lambda: SimpleNamespace(cut_off=[]))
    engine._ready.set()
    asked = asyncio.create_task(engine._on_reset(Call("reset", {})))
    await begun.wait()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    go_on.set()
    async with asyncio.timeout(5):
        await done.wait()
