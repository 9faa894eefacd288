from __future__ import annotations

import pytest

from kubelab.engine.apiserver import ApiServer
from kubelab.engine.client import Client, EventRecorder, InProcessTransport
from kubelab.engine.client.resources import EVENTS

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "default", "uid": "u", "resourceVersion": "7"},
}


@pytest.fixture
async def api():
    server = ApiServer.open(":memory:")
    yield Client(InProcessTransport(server, "kubernetes-admin"))
    await server.close()


async def test_the_same_event_again_raises_its_count(api):
    recorder = EventRecorder(api, "kubelet", "worker")
    for _ in range(3):
        await recorder.record(POD, "BackOff", "Back-off restarting", warning=True)
    await recorder.record(POD, "Started", "Started container main")
    events = {each["reason"]: each for each in (await api.list(EVENTS, "default"))["items"]}
    assert {reason: each["count"] for reason, each in events.items()} == {"BackOff": 3, "Started": 1}
    back_off = events["BackOff"]
    assert (back_off["type"], back_off["source"]) == ("Warning", {"component": "kubelet", "host": "worker"})
    assert (back_off["involvedObject"]["kind"], back_off["involvedObject"]["name"]) == ("Pod", "web")


async def test_an_event_that_cannot_be_written_stops_nobody(api):
    gone = {**POD, "metadata": {**POD["metadata"], "namespace": "no-such-namespace"}}
    await EventRecorder(api, "kubelet").record(gone, "Started", "Started container main")


async def test_an_event_of_the_clusters_own_object_is_in_default_and_is_found_as_kubectl_describe_looks_for_it(api):
    ingress_class = {"kind": "IngressClass", "metadata": {"name": "web", "uid": "u"}}
    await EventRecorder(api, "controller").record(ingress_class, "ClassParameters", "no parameters", warning=True)
    selector = "involvedObject.name=web,involvedObject.namespace="
    found = await api.list(EVENTS, query=[("fieldSelector", selector)])
    assert [each["metadata"]["namespace"] for each in found["items"]] == ["default"]


class Lossy:
    """The first writes are lost: on the way there, and on the way back."""

    def __init__(self, transport) -> None:
        self._transport, self.sent = transport, 0

    async def request(self, request):
        self.sent += request.method == "POST"
        if request.method == "POST" and self.sent < 3:
            if self.sent == 2:
                await self._transport.request(request)
            raise ConnectionResetError("the answer broke off")
        return await self._transport.request(request)

    def lines(self, request):
        return self._transport.lines(request)


async def test_an_event_whose_answer_was_lost_is_there_once(api):
    await EventRecorder(api.by(Lossy), "kubelet").record(POD, "Started", "Started container main")
    assert [each["reason"] for each in (await api.list(EVENTS, "default"))["items"]] == ["Started"]
