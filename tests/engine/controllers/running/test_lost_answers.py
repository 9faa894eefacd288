"""An answer may be lost, before the request has done anything or after: every controller gets where it wants to be.

Each kind of write of each controller is lost twice: the first time on its way there, the second time on its way back.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest

from kubelab.engine.client import ApiRequest, ApiResponse, Client
from kubelab.engine.client.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    NAMESPACES,
    PODS,
    REPLICASETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
)

_NAMES, _PLURAL = re.compile(r"/namespaces/[^/]+/([^/]+)(/[^/]+)?"), r"/\1"
_LOST = b'{"kind":"Status","status":"Failure","reason":"Timeout","message":"no answer in time","code":504}'


class Lossy:
    """A transport, as `Client.by` takes one. ``broken``: the connection goes, instead of a 504."""

    def __init__(self, transport, sent: Counter[str], broken: bool) -> None:
        self._transport, self._sent, self._broken = transport, sent, broken
        self.lines, self.close = transport.lines, transport.close

    async def request(self, request: ApiRequest) -> ApiResponse:
        kind = f"{request.method} {_NAMES.sub(_PLURAL, request.path)}"
        self._sent[kind] += request.method != "GET"
        if request.method == "GET" or self._sent[kind] > 2:
            return await self._transport.request(request)
        if self._sent[kind] == 2:
            await self._transport.request(request)
        if self._broken:
            raise ConnectionResetError("the answer broke off")
        return ApiResponse(504, _LOST, {})


@pytest.fixture(params=["broken connections", "504"])
async def lossy(cluster, request):
    """The cluster, its controllers started again behind bad lines."""
    await cluster.kill_controllers()
    good, sent = cluster.client_for, {}

    def client_for(user: str) -> Client:
        counter = sent.setdefault(user, Counter())
        return good(user).by(lambda transport: Lossy(transport, counter, request.param != "504"))

    cluster.client_for = client_for
    cluster.start_controllers()
    for resource in (DAEMONSETS, STATEFULSETS):
        await cluster.watch(resource)
    cluster.sent = sent
    return cluster


def pods(cluster, app: str) -> list[str]:
    return [
        pod["spec"].get("nodeName", "")
        for pod in cluster.all(PODS)
        if pod["metadata"]["labels"].get("app") == app and "deletionTimestamp" not in pod["metadata"]
    ]


def addresses(cluster, service: str) -> int:
    return sum(
        len(piece["endpoints"] or ())
        for piece in cluster.all(ENDPOINTSLICES)
        if piece["metadata"]["labels"].get("kubernetes.io/service-name") == service
    )


async def test_a_deployment_is_rolled_out_and_its_service_follows(lossy):
    await lossy.create(
        SERVICES, {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    )
    await lossy.deploy(replicas=3)
    await lossy.until(lossy.rolled_out, 30)
    await lossy.until(lambda: addresses(lossy, "web") == 3)
    await lossy.set_image("web", "agnhost:2")
    await lossy.until(lossy.rolled_out, 30)
    await lossy.until(lambda: len(pods(lossy, "web")) == 3 and all(pods(lossy, "web")))
    await lossy.api.delete(DEPLOYMENTS, "web", "default")
    await lossy.until(lambda: not pods(lossy, "web") and not lossy.all(REPLICASETS), 30)
    assert lossy.sent["system:kube-scheduler"]["POST /api/v1/pods/binding"] > 2


@pytest.mark.parametrize("resource", [DAEMONSETS, STATEFULSETS], ids=["daemonset", "statefulset"])
async def test_so_are_the_others(lossy, resource):
    template = {
        "metadata": {"labels": {"app": "set"}},
        "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]},
    }
    spec = {"selector": {"matchLabels": {"app": "set"}}, "template": template}
    spec |= {"replicas": 2, "serviceName": "set"} if resource is STATEFULSETS else {}
    await lossy.create(resource, {"metadata": {"name": "set"}, "spec": spec})
    await lossy.until(lambda: len(pods(lossy, "set")) == 2 and all(pods(lossy, "set")), 30)


async def test_a_balancer_s_address_is_given_and_taken_back(lossy):
    balanced = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    await lossy.create(SERVICES, {"metadata": {"name": "web"}, "spec": balanced})
    await lossy.until(lambda: lossy.get(SERVICES, "web")["status"].get("loadBalancer"), 30)
    await lossy.api.delete(SERVICES, "web", "default")
    await lossy.until(lambda: lossy.get(SERVICES, "web") is None, 30)


async def test_a_namespace_goes_with_all_that_is_in_it(lossy):
    await lossy.create(NAMESPACES, {"metadata": {"name": "shop"}}, None)
    await lossy.until(lambda: lossy.get(SERVICEACCOUNTS, "default", "shop"), 30)
    pod = {"metadata": {"name": "solo"}, "spec": {"containers": [{"name": "main", "image": "agnhost:1"}]}}
    await lossy.create(PODS, pod, "shop")
    await lossy.api.delete(NAMESPACES, "shop")
    await lossy.until(lambda: lossy.get(NAMESPACES, "shop", "") is None, 30)
