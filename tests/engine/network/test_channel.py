"""The engine's end of the channel, with the agent's end in our hands."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

import pytest

from kubelab.engine.network.agent import messages
from kubelab.engine.network.channel import AgentChannel
from kubelab.engine.network.contract import NetworkLost, StartFailed


@pytest.fixture
async def ends():
    """The channel, the agent's end, and the events that arrived."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    events = []
    channel = AgentChannel(ours, events.append)
    theirs.settimeout(5)
    with theirs:
        yield channel, theirs, events
    channel.close()


def whole(result, fds):
    return result, fds


async def asked(theirs):
    message, _ = await asyncio.to_thread(messages.receive, theirs)
    return message


async def test_replies_come_in_any_order(ends):
    channel, theirs, _ = ends
    first = asyncio.create_task(channel.ask("a", whole, x=1))
    second = asyncio.create_task(channel.ask("b", whole))
    requests = [await asked(theirs), await asked(theirs)]
    assert [request["op"] for request in requests] == ["a", "b"]
    for request in reversed(requests):
        messages.send(theirs, {"id": request["id"], "result": {"for": request["op"]}})
    assert (await second, await first) == (({"for": "b"}, []), ({"for": "a"}, []))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"kind": "OSError", "errno": errno.ECONNREFUSED, "message": "refused"}, ConnectionRefusedError, "refused"),
        ({"kind": "StartFailed", "code": 127, "message": "no such file"}, StartFailed, "no such file"),
        ({"kind": "KeyError", "message": "'x'"}, LookupError, "'x'"),
        ({"kind": "TypeError", "message": "oh"}, RuntimeError, "TypeError: oh"),
    ],
)
async def test_what_the_agent_raises_is_raised_here(ends, error, kind, message):
    channel, theirs, _ = ends
    task = asyncio.create_task(channel.ask("a", whole))
    request = await asked(theirs)
    messages.send(theirs, {"id": request["id"], "error": error})
    with pytest.raises(kind, match=message):
        await task


async def test_what_arrives_for_a_cancelled_request_is_abandoned(ends):
    channel, theirs, events = ends
    abandoned = []
    task = asyncio.create_task(channel.ask("a", whole, abandon=abandoned.append))
    request = await asked(theirs)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    messages.send(theirs, {"id": request["id"], "result": {}})
    messages.send(theirs, {"event": "after"})
    async with asyncio.timeout(5):
        while not events:  # noqa: ASYNC110  (events are a plain list)
            await asyncio.sleep(0)
    assert abandoned == [({}, [])]


async def test_a_full_channel_makes_requests_wait_and_loses_none(ends):
    channel, theirs, _ = ends
    tasks = [asyncio.create_task(channel.ask("a", whole, text="x" * 20_000)) for _ in range(100)]
    await asyncio.sleep(0)
    for _ in tasks:
        request = await asked(theirs)
        messages.send(theirs, {"id": request["id"], "result": {}})
    assert len(await asyncio.gather(*tasks)) == 100


async def test_when_the_agent_goes_everyone_who_waits_hears_of_it(ends):
    channel, theirs, _ = ends
    task = asyncio.create_task(channel.ask("a", whole))
    await asked(theirs)
    theirs.close()
    with pytest.raises(NetworkLost):
        await task
    await asyncio.wait_for(channel.lost(), 1)
    with pytest.raises(NetworkLost):
        await channel.ask("b", whole)


async def test_requests_that_wait_for_room_hear_of_the_end_too(ends):
    channel, theirs, _ = ends
    descriptors = len(os.listdir("/proc/self/fd"))
    tasks = [asyncio.create_task(channel.ask("a", whole, text="x" * 20_000)) for _ in range(100)]
    await asyncio.sleep(0)
    theirs.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {NetworkLost}
    assert len(os.listdir("/proc/self/fd")) <= descriptors
