from __future__ import annotations

import pytest

from kubelab.engine.apiserver.tables.cells import duration, selector
from kubelab.engine.apiserver.tables.pods import pod_cells

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


async def rows(api, path: str) -> list[dict[str, object]]:
    table = (await api.get(path, accept=TABLE)).body
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    names = [column["name"] for column in table["columnDefinitions"]]
    return [dict(zip(names, row["cells"], strict=True)) for row in table["rows"]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"),
     (3 * 3600 - 1, "179m"),
     (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (8 * 3600, "8h"), (47 * 3600, "47h"), (48 * 3600, "2d"),
     (49 * 3600, "2d1h"), (8 * 86400, "8d"), (729 * 86400, "729d"), (800 * 86400, "2y70d"), (4000 * 86400, "10y")],
)  # fmt: skip
def test_ages_are_written_as_kubectl_writes_them(seconds: int, text: str) -> None:
    assert duration(seconds) == text


async def test_the_columns_of_services(api, make, clock) -> None:
    path = "/api/v1/namespaces/default/services"
    await api.post(path, make.service("node", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    await api.post(path, make.service("balanced", type="LoadBalancer"))
    await api.post(
        path, {"metadata": {"name": "named"}, "spec": {"type": "ExternalName", "externalName": "example.com"}}
    )
    clock.forward(65)
    found = {row["Name"]: row for row in await rows(api, path)}
    assert (found["node"]["Port(s)"], found["node"]["Age"]) == ("80:30080/TCP", "65s")
    assert found["balanced"]["External-IP"] == "<pending>"
    assert (found["named"]["Cluster-IP"], found["named"]["External-IP"], found["named"]["Port(s)"]) == (
        "<none>", "example.com", "<none>"
    )  # fmt: skip
    assert (found["kubernetes"]["Cluster-IP"], found["kubernetes"]["Selector"]) == ("10.96.0.1", "<none>")


async def test_the_columns_of_endpoints_and_their_slices(api) -> None:
    assert (await rows(api, "/api/v1/namespaces/default/endpoints"))[0]["Endpoints"] == "172.18.0.2:6443"
    slices = await rows(api, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
    assert (slices[0]["AddressType"], slices[0]["Ports"], slices[0]["Endpoints"]) == ("IPv4", "6443", "172.18.0.2")


async def test_the_columns_of_nodes(api) -> None:
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}],
        "nodeInfo": {"kubeletVersion": "v1.36.2", "osImage": "here"},
    }
    labels = {"node-role.kubernetes.io/control-plane": ""}
    node = {"metadata": {"name": "n", "labels": labels}, "spec": {"unschedulable": True}, "status": status}
    await api.post("/api/v1/nodes", node)
    [row] = await rows(api, "/api/v1/nodes")
    assert (row["Status"], row["Roles"], row["Version"]) == ("Ready,SchedulingDisabled", "control-plane", "v1.36.2")
    assert (row["Internal-IP"], row["External-IP"], row["OS-Image"]) == ("172.18.0.2", "<none>", "here")


async def test_the_columns_of_events(api, clock) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "web", "fieldPath": "spec.containers{a}"},
        "reason": "BackOff", "message": "no\n", "type": "Warning", "count": 3,
        "source": {"component": "kubelet", "host": "n"},
        "firstTimestamp": "2026-05-28T20:26:00Z", "lastTimestamp": "2026-05-28T20:26:30Z",
    }  # fmt: skip
    await api.post("/api/v1/namespaces/default/events", event)
    [row] = await rows(api, "/api/v1/namespaces/default/events")
    assert row["Last Seen"] == "10s (x3 over 40s)"
    assert (row["Object"], row["Message"], row["Source"]) == ("pod/web", "no", "kubelet, n")


async def test_a_row_carries_what_was_asked_for(api) -> None:
    path = "/api/v1/namespaces/default"
    for include, expected in (("Object", "Namespace"), ("Metadata", "PartialObjectMetadata"), ("None", None)):
        table = (await api.get(f"{path}?includeObject={include}", accept=TABLE)).body
        assert table["rows"][0].get("object", {}).get("kind") == expected


def _pod(state: dict | None = None, *, ready: bool = False, restarts: int = 0, **more: object) -> dict:
    statuses = [{"name": "a", "ready": ready, "restartCount": restarts, "state": state}] if state else []
    status = {"phase": "Running", "containerStatuses": statuses, **more}
    meta = {"name": "p", "creationTimestamp": "2026-05-28T20:26:40Z"}
    return {"metadata": meta, "spec": {"containers": [{"name": "a"}]}, "status": status}


@pytest.mark.parametrize(
    ("pod", "ready", "word"),
    [
        (_pod({"running": {}}, ready=True), "1/1", "Running"),
        (_pod({"running": {}}), "0/1", "Running"),
        (_pod({"waiting": {"reason": "ErrImagePull"}}), "0/1", "ErrImagePull"),
        (_pod({"terminated": {"reason": "Error", "exitCode": 1}}), "0/1", "Error"),
        (_pod({"terminated": {"exitCode": 3}}), "0/1", "ExitCode:3"),
        (_pod({"terminated": {"signal": 9}}), "0/1", "Signal:9"),
        (_pod(phase="Failed", reason="Evicted"), "0/1", "Evicted"),
        (_pod(phase="Pending"), "0/1", "Pending"),
    ],
)
def test_a_pods_state_in_one_word(pod: dict, ready: str, word: str) -> None:
    cells = pod_cells(pod, 1_780_000_000.0)
    assert (cells[1], cells[2]) == (ready, word)
    pod["metadata"]["deletionTimestamp"] = "2026-05-28T20:26:40Z"
    if pod["status"]["phase"] == "Running":
        assert pod_cells(pod, 1_780_000_000.0)[2] == "Terminating"


def test_restarts_say_how_long_ago() -> None:
    pod = _pod({"running": {}}, ready=True, restarts=2)
    pod["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"finishedAt": "2026-05-28T20:25:00Z"}}
    assert pod_cells(pod, 1_780_000_000.0)[3] == "2 (100s ago)"


def test_init_containers_are_counted_while_they_run() -> None:
    pod = _pod(phase="Pending")
    pod["spec"]["initContainers"] = [{"name": "i"}, {"name": "j"}]
    pod["status"]["initContainerStatuses"] = [
        {"name": "i", "restartCount": 0, "state": {"terminated": {"exitCode": 0}}},
        {"name": "j", "restartCount": 0, "state": {"running": {}}},
    ]
    assert pod_cells(pod, 1_780_000_000.0)[2] == "Init:1/2"


def test_a_sidecar_that_ends_after_the_pod_was_initialised_hides_no_container() -> None:
    pod = _pod({"running": {}}, ready=True, conditions=[{"type": "Initialized", "status": "True"}])
    pod["spec"]["initContainers"] = [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    pod["status"]["initContainerStatuses"] = [
        {"name": "i", "restartCount": 1, "state": {"terminated": {"exitCode": 0}}},
        {"name": "s", "restartCount": 3, "state": waiting},
    ]
    assert pod_cells(pod, 1_780_000_000.0)[1:4] == ["1/2", "Init:CrashLoopBackOff", "3"]


def test_a_selector_is_written_in_the_order_of_its_keys() -> None:
    terms = [{"key": "c", "operator": "DoesNotExist"}, {"key": "a", "operator": "In", "values": ["y", "x"]}]
    assert selector({"matchLabels": {"b": "1", "a": "x"}, "matchExpressions": terms}) == "a=x,a in (x,y),b=1,!c"


async def test_a_scale_is_shown_as_a_row_too(api, make) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    await api.post(path, make.deployment(replicas=3))
    table = (await api.get(f"{path}/web/scale", accept="application/json;as=Table;v=v1;g=meta.k8s.io")).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"] == ["web", 3, 0, "0s"]
