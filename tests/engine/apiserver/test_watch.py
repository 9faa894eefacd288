from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator

from kubelab.engine.apiserver import ApiServer, ApiServerSettings

CM = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


class Watching:
    """An open watch; `next` gives (type, name) of the next event."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._lines: list[bytes] = []

    async def event(self) -> dict:
        while not self._lines:
            chunk = await asyncio.wait_for(anext(self._body), 5)
            assert chunk.endswith(b"\n")
            self._lines = chunk.splitlines()
        return json.loads(self._lines.pop(0))

    async def next(self) -> tuple[str, str]:
        event = await self.event()
        return event["type"], event["object"]["metadata"].get("name", "")

    async def ended(self) -> bool:
        try:
            await asyncio.wait_for(anext(self._body), 5)
        except StopAsyncIteration:
            return True
        return False


async def watch(api, path: str, query: str, **headers: str) -> Watching:
    response = await api.open("GET", f"{path}?watch=true&{query}", **headers)
    assert response.status == 200
    return Watching(response.body)


async def test_a_watch_from_a_list_sees_every_change_after_it(api) -> None:
    version = (await api.get(CM)).body["metadata"]["resourceVersion"]
    await api.post(CM, {"metadata": {"name": "a"}})
    watching = await watch(api, CM, f"resourceVersion={version}")
    assert await watching.next() == ("ADDED", "a")
    await api.patch(f"{CM}/a", {"data": {"k": "v"}})
    await api.delete(f"{CM}/a")
    assert await watching.next() == ("MODIFIED", "a")
    gone = await watching.event()
    assert (gone["type"], gone["object"]["data"]) == ("DELETED", {"k": "v"})
    assert int(gone["object"]["metadata"]["resourceVersion"]) > int(version) + 2


async def test_a_watch_without_a_version_begins_with_what_is_there(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    for query in ("", "resourceVersion=0"):
        assert await (await watch(api, CM, query)).next() == ("ADDED", "a")


async def test_an_object_that_leaves_the_selection_is_deleted_for_the_watcher(api) -> None:
    watching = await watch(api, CM, "labelSelector=app=web&resourceVersion=0")
    await api.post(CM, {"metadata": {"name": "other"}})
    await api.post(CM, {"metadata": {"name": "a", "labels": {"app": "web"}}, "data": {"k": "1"}})
    await api.patch(f"{CM}/a", {"metadata": {"labels": {"app": "db"}}, "data": {"k": "2"}})
    await api.patch(f"{CM}/a", {"metadata": {"labels": {"app": "web"}}})
    assert await watching.next() == ("ADDED", "a")
    left = await watching.event()
    assert (left["type"], left["object"]["data"]) == ("DELETED", {"k": "1"})
    assert await watching.next() == ("ADDED", "a")


async def test_one_object_can_be_watched_by_its_own_path(api) -> None:
    watching = await watch(api, f"{CM}/a", "resourceVersion=0")
    await api.post(CM, {"metadata": {"name": "b"}})
    await api.post(CM, {"metadata": {"name": "a"}})
    assert await watching.next() == ("ADDED", "a")


async def test_a_node_agent_watches_only_its_own_pods(api, make) -> None:
    watching = await watch(api, "/api/v1/pods", "fieldSelector=spec.nodeName=n1&resourceVersion=0")
    await api.post(PODS, make.pod("elsewhere", nodeName="n2"))
    await api.post(PODS, make.pod("here"))
    await api.post(f"{PODS}/here/binding", {"metadata": {"name": "here"}, "target": {"kind": "Node", "name": "n1"}})
    assert await watching.next() == ("ADDED", "here")


async def test_a_version_that_is_forgotten_is_expired(api_of) -> None:
    server = ApiServer.open(":memory:", ApiServerSettings(tokens={"a-token": "kubernetes-admin"}, watch_window=5))
    api = api_of(server)
    for number in range(10):
        await api.post(CM, {"metadata": {"name": f"n{number}"}})
    answer = await api.open("GET", f"{CM}?watch=true&resourceVersion=1")
    [line] = [line async for line in answer.body]
    event = json.loads(line)
    assert (answer.status, event["type"], event["object"]["code"]) == (200, "ERROR", 410)
    assert event["object"]["reason"] == "Expired"
    assert event["object"]["message"].startswith("too old resource version: 1 (")
    await server.close()


async def test_a_version_from_the_future_has_to_wait(api) -> None:
    for query in ("watch=true&resourceVersion=99999", "resourceVersion=99999"):
        answer = await api.get(f"{CM}?{query}")
        assert (answer.code, answer.body["reason"]) == (504, "Timeout")
        assert answer.body["details"]["retryAfterSeconds"] == 1
    assert (await api.get("/api/v1/namespaces/default?resourceVersion=99999")).code == 504


async def test_a_streamed_list_ends_with_a_bookmark_that_says_so(api) -> None:
    await api.post(CM, {"metadata": {"name": "a"}})
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    watching = await watch(api, CM, query)
    assert await watching.next() == ("ADDED", "a")
    bookmark = await watching.event()
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_ends_after_the_time_it_asked_for(api) -> None:
    watching = await watch(api, CM, "resourceVersion=0&timeoutSeconds=1&allowWatchBookmarks=true")
    assert (await watching.next())[0] == "BOOKMARK"
    assert await watching.ended()


async def test_a_watch_ends_when_the_server_closes(api, server) -> None:
    watching = await watch(api, CM, "resourceVersion=0")
    await server.close()
    assert await watching.ended()


async def test_the_watch_of_a_client_that_reads_nothing_ends_before_it_fills_the_memory(api, monkeypatch) -> None:
    monkeypatch.setattr("kubelab.engine.apiserver.watch.PATIENCE_SECONDS", 0.0)
    now = f"resourceVersion={(await api.get(CM)).body['metadata']['resourceVersion']}"
    slow, quick = await watch(api, CM, now), await watch(api, CM, now)
    for number in range(5):
        await api.post(CM, {"metadata": {"name": f"a{number}"}, "data": {"k": "x" * 1_000_000}})
        assert await quick.next() == ("ADDED", f"a{number}")
    assert await slow.ended()


async def test_many_events_at_once_are_no_reason_to_end_a_watch(api) -> None:
    now = f"resourceVersion={(await api.get(CM)).body['metadata']['resourceVersion']}"
    watching = await watch(api, CM, now)
    for number in range(5):
        await api.post(CM, {"metadata": {"name": f"a{number}"}, "data": {"k": "x" * 1_000_000}})
    again = await watch(api, CM, now)
    await api.send("DELETE", CM, b"")
    for each in (watching, again):
        assert [(await each.next())[0] for _ in range(10)] == ["ADDED"] * 5 + ["DELETED"] * 5


async def test_a_watch_that_nobody_reads_any_more_is_forgotten(api, server) -> None:
    watching = await watch(api, CM, "resourceVersion=0")
    streams = server._hub._streams["/configmaps"]
    assert len(streams) == 1
    del watching
    gc.collect()
    assert len(streams) == 0


async def test_a_table_is_watched_row_by_row(api, make) -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    watching = await watch(api, PODS, "resourceVersion=0", accept=table)
    await api.post(PODS, make.pod("a"))
    await api.post(PODS, make.pod("b"))
    first, second = await watching.event(), await watching.event()
    assert [column["name"] for column in first["object"]["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    assert second["object"]["columnDefinitions"] is None
    assert first["object"]["rows"][0]["cells"][:3] == ["a", "0/1", "Pending"]


async def test_ages_in_a_watched_table_are_told_when_the_row_is_sent(api, make, clock) -> None:
    watching = await watch(api, PODS, "resourceVersion=0", accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    clock.forward(60)
    await api.post(PODS, make.pod("a"))
    clock.forward(5)
    await api.patch(f"{PODS}/a", {"metadata": {"labels": {"x": "y"}}})
    rows = [(await watching.event())["object"]["rows"][0]["cells"] for _ in range(2)]
    assert [cells[4] for cells in rows] == ["0s", "5s"]
