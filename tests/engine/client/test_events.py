from __future__ import annotations

import json

from kubelab.engine.client import ApiRequest, ApiResponse, Client, EventRecorder, InProcessTransport


class Events:
    """An API that knows Events only."""

    def __init__(self) -> None:
        self.stored: dict[str, dict] = {}

    async def handle(self, request: ApiRequest) -> ApiResponse:
        body = json.loads(request.body) if request.body else {}
        name = request.path.rpartition("/")[2]
        if request.method == "POST":
            name = body["metadata"]["name"]
            if name in self.stored:
                return ApiResponse(409, json.dumps({"reason": "AlreadyExists"}).encode())
            self.stored[name] = body
        elif request.method == "PATCH":
            self.stored[name] |= body
        return ApiResponse(200, json.dumps(self.stored[name]).encode())


POD = {"kind": "Pod", "metadata": {"name": "web", "namespace": "default", "uid": "1"}}


async def test_events_list_in_the_order_in_which_they_happened_and_repeats_are_counted():
    api = Events()
    recorder = EventRecorder(Client(InProcessTransport(api, "kubelet")), "kubelet", "node")
    for reason in ("Pulled", "Created", "Started", "BackOff", "BackOff"):
        await recorder.record(POD, reason, f"{reason}!", field_path="spec.containers{web}")
    events = [api.stored[name] for name in sorted(api.stored)]
    assert [(each["reason"], each["count"]) for each in events] == [
        ("Pulled", 1),
        ("Created", 1),
        ("Started", 1),
        ("BackOff", 2),
    ]
    assert events[0]["involvedObject"]["fieldPath"] == "spec.containers{web}"
