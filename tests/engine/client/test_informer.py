from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from kubelab.engine.client import ApiRequest, ApiResponse, Client, Informer, InProcessTransport
from kubelab.engine.client.resources import PODS


def pod(name: str, version: int, uid: str = "", **spec) -> dict:
    meta = {"namespace": "default", "name": name, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": spec}


class Script:
    """An API server that answers lists and watches in the order written, then keeps silent."""

    def __init__(self, *answers) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self._asked_again = asyncio.Event()

    async def asked_times(self, times: int) -> None:
        async with asyncio.timeout(60):
            while len(self.asked) < times:
                self._asked_again.clear()
                await self._asked_again.wait()

    async def handle(self, request: ApiRequest) -> ApiResponse:
        query = dict(request.query)
        self.asked.append(f"watch {query['resourceVersion']}" if "watch" in query else "list")
        self._asked_again.set()
        if not self._answers:
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, ApiResponse):
            return answer
        if isinstance(answer, tuple):
            version, items = answer
            body = {"metadata": {"resourceVersion": str(version)}, "items": items}
            return ApiResponse(200, json.dumps(body).encode())
        return ApiResponse(200, _stream(answer))


async def _stream(events) -> AsyncIterator[bytes]:
    for event in events:
        if isinstance(event, Exception):
            raise event
        kind, obj = event
        yield json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def expired() -> ApiResponse:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    return ApiResponse(410, json.dumps(status).encode())


def bookmark(version: int) -> tuple[str, dict]:
    return "BOOKMARK", {"metadata": {"resourceVersion": str(version)}}


async def told_by(
    *answers, asks: int, meanwhile: Callable[[Informer], None] | None = None
) -> tuple[list[str], Script, Informer]:
    """What listeners heard until the script's server had been asked ``asks`` times."""
    script = Script(*answers)
    informer = Informer(Client(InProcessTransport(script, "test")), PODS)
    heard: list[str] = []
    informer.listen(lambda old, new: heard.append(_word(old, new)))
    run = asyncio.create_task(informer.run())
    await script.asked_times(asks)
    if meanwhile:
        meanwhile(informer)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    return heard, script, informer


def _word(old: dict | None, new: dict | None) -> str:
    verb = "added" if old is None else "gone" if new is None else "changed"
    meta = (new or old or {})["metadata"]
    return f"{verb} {meta['name']} {meta['resourceVersion']}"


async def test_it_lists_then_watches_from_the_lists_version():
    heard, script, informer = await told_by(
        (5, [pod("a", 3)]), [("ADDED", pod("b", 6)), ("MODIFIED", pod("a", 7)), ("DELETED", pod("b", 8))], asks=3
    )
    assert heard == ["added a 3", "added b 6", "changed a 7", "gone b 8"]
    assert script.asked == ["list", "watch 5", "watch 8"]
    assert [obj["metadata"]["name"] for obj in informer.all()] == ["a"]


async def test_after_a_410_it_lists_again_and_tells_only_what_changed():
    heard, script, _ = await told_by(
        (5, [pod("a", 3), pod("b", 4)]),
        expired(),
        (20, [pod("a", 3), pod("c", 18)]),
        asks=4,
    )
    assert heard == ["added a 3", "added b 4", "gone b 4", "added c 18"]
    assert script.asked == ["list", "watch 5", "list", "watch 20"]


async def test_an_expired_version_in_the_middle_of_a_watch_is_survived_too():
    error = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    heard, script, _ = await told_by(
        (5, [pod("a", 3)]), [("MODIFIED", pod("a", 6)), ("ERROR", error)], (9, [pod("a", 6)]), asks=4
    )
    assert heard == ["added a 3", "changed a 6"]
    assert script.asked == ["list", "watch 5", "list", "watch 9"]


async def test_a_lost_stream_is_survived_and_nothing_is_told_twice():
    heard, script, _ = await told_by(
        (5, [pod("a", 3)]),
        [("ADDED", pod("b", 6)), ConnectionResetError("gone")],
        (7, [pod("a", 3), pod("b", 7)]),
        asks=4,
    )
    assert heard == ["added a 3", "added b 6", "changed b 7"]
    assert script.asked == ["list", "watch 5", "list", "watch 7"]


async def test_a_bookmark_moves_the_version_and_is_no_change():
    heard, script, _ = await told_by((5, []), [bookmark(90)], asks=3)
    assert heard == []
    assert script.asked == ["list", "watch 5", "watch 90"]


async def test_another_object_of_the_same_name_is_told_as_one_gone_and_one_added():
    heard, _, _ = await told_by((5, [pod("a", 3, uid="first")]), expired(), (9, [pod("a", 8, uid="second")]), asks=4)
    assert heard == ["added a 3", "gone a 3", "added a 8"]


async def test_what_was_written_is_known_at_once_and_its_event_is_no_change():
    script = Script((5, []), [("ADDED", pod("a", 6)), ("MODIFIED", pod("a", 7))])
    informer = Informer(Client(InProcessTransport(script, "test")), PODS)
    heard: list[str] = []
    informer.listen(lambda old, new: heard.append(_word(old, new)))
    informer.wrote(pod("a", 6))
    assert informer.get("default", "a") is not None
    run = asyncio.create_task(informer.run())
    await script.asked_times(3)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert heard == ["added a 6", "changed a 7"]


async def test_an_answer_older_than_the_watch_does_not_bring_a_deleted_object_back():
    heard, _, informer = await told_by(
        (5, []),
        [("ADDED", pod("a", 6)), ("DELETED", pod("a", 8))],
        asks=3,
        meanwhile=lambda informer: informer.wrote(pod("a", 7)),
    )
    assert heard == ["added a 6", "gone a 8"]
    assert informer.all() == []


async def test_a_server_whose_history_began_anew_is_believed():
    heard, _, informer = await told_by(
        (500, [pod("a", 300, uid="old")]),
        [ConnectionResetError("the server has gone")],
        (4, [pod("a", 3, uid="new")]),
        asks=4,
    )
    assert heard == ["added a 300", "gone a 300", "added a 3"]
    assert informer.get("default", "a")["metadata"]["uid"] == "new"


async def test_a_server_that_ends_every_watch_at_once_is_asked_less_and_less_often():
    script = Script((5, []), *[[] for _ in range(100)])
    informer = Informer(Client(InProcessTransport(script, "test")), PODS)
    run = asyncio.create_task(informer.run())
    await asyncio.sleep(60)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert len(script.asked) < 25


async def test_watches_that_last_are_followed_by_the_next_one_soon_although_they_bring_nothing():
    async def quiet():
        await asyncio.sleep(2)
        for nothing in ():
            yield nothing

    script = Script((5, []), *[ApiResponse(200, quiet()) for _ in range(100)])
    informer = Informer(Client(InProcessTransport(script, "test")), PODS)
    run = asyncio.create_task(informer.run())
    await asyncio.sleep(60)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert len(script.asked) > 25


async def test_the_end_of_an_object_says_nothing_of_a_younger_one_that_its_writer_has_told():
    gone, heard = asyncio.Event(), []

    async def late():
        await gone.wait()
        yield json.dumps({"type": "DELETED", "object": pod("a", 6, uid="first")}).encode()

    script = Script((5, [pod("a", 3, uid="first")]), ApiResponse(200, late()))
    informer = Informer(Client(InProcessTransport(script, "test")), PODS)
    run = asyncio.create_task(informer.run())
    await script.asked_times(2)
    informer.listen(lambda old, new: heard.append(_word(old, new)))
    informer.wrote(pod("a", 7, uid="second"))
    gone.set()
    await script.asked_times(3)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert heard == ["added a 3", "gone a 3", "added a 7"]


async def test_a_listener_that_fails_does_not_keep_the_others_from_hearing(caplog):
    script = Script((5, [pod("a", 3)]))
    informer = Informer(Client(InProcessTransport(script, "test")), PODS)
    heard: list[str] = []
    informer.listen(lambda old, new: 1 / 0)
    informer.listen(lambda old, new: heard.append(_word(old, new)))
    run = asyncio.create_task(informer.run())
    await asyncio.wait_for(informer.synced(), 10)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert heard == ["added a 3"]
    assert "a listener of pods failed on default/a" in caplog.text
