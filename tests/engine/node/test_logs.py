from __future__ import annotations

import asyncio
import errno
import os
from datetime import UTC, datetime

import pytest

from kubelab.engine.node import log_file
from kubelab.engine.node.kubelet_api import Refused
from kubelab.engine.node.log_file import LogFile
from kubelab.engine.node.log_reader import BadLogOptions, LogOptions, read

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def text(path, live=None, **query) -> str:
    options = LogOptions.from_query(query, NOW)
    return b"".join([chunk async for chunk in read(path, options, live)]).decode()


@pytest.fixture
def log(tmp_path):
    made = LogFile(tmp_path / "web" / "0.log")
    yield made
    made.close()


async def test_lines_are_kept_in_the_runtimes_format(log):
    log.write("stdout", b"one\ntw")
    log.write("stderr", b"oops\n")
    log.write("stdout", b"o\nhalf")
    log.close()
    lines = log.path.read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "stdout F one",
        "stderr F oops",
        "stdout F two",
        "stdout P half",
    ]
    assert datetime.fromisoformat(lines[0].split(" ")[0][:26]).year >= 2026
    assert await text(log.path) == "one\noops\ntwo\nhalf"


async def test_a_tail_is_found_from_the_end(log):
    log.write("stdout", b"".join(b"line %d\n" % number for number in range(20_000)))
    assert await text(log.path, tailLines="2") == "line 19998\nline 19999\n"
    assert (await text(log.path, tailLines="15000")).startswith("line 5000\n")
    assert await text(log.path, tailLines="0") == ""
    assert (await text(log.path, tailLines="999999")).startswith("line 0\n")


async def test_bytes_are_limited_and_times_are_shown_or_asked_for(log):
    log.write("stdout", b"hello\n")
    assert await text(log.path, limitBytes="3") == "hel"
    assert (await text(log.path, timestamps="true")).endswith("Z hello\n")
    assert await text(log.path, sinceTime="2999-01-01T00:00:00Z") == ""
    assert await text(log.path, sinceTime="2001-01-01T00:00:00Z") == "hello\n"
    with pytest.raises(BadLogOptions, match="at most one"):
        await text(log.path, sinceTime="2001-01-01T00:00:00Z", sinceSeconds="3")
    with pytest.raises(BadLogOptions, match="tailLines"):
        await text(log.path, tailLines="-1")


async def test_following_goes_on_through_rotation_until_the_end(log, monkeypatch):
    monkeypatch.setattr(log_file, "ROTATE_BYTES", 2000)
    log.write("stdout", b"0\n")
    following = asyncio.create_task(text(log.path, log, follow="true"))
    for number in range(1, 100):
        await asyncio.sleep(0)
        log.write("stdout", b"%d\n" % number)
        await asyncio.sleep(0)
    log.close()
    assert (await following).split() == [str(number) for number in range(100)]
    assert 2 <= len(list(log.path.parent.iterdir())) <= log_file.MOST_FILES


async def test_what_a_container_writes_can_be_read_and_followed(lab):
    async with lab.agent() as agent:
        lab.make()
        process = await lab.running()
        process.say("first\n")
        await lab.settle()
        chunks = agent.api.logs("default", "web", "web", {"follow": "true"})
        assert await anext(chunks) == b"first\n"
        process.say("second\n", stream=2)
        assert await anext(chunks) == b"second\n"
        lab.api.delete_gracefully()
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)


async def test_a_waiting_container_has_no_log_and_an_unknown_one_is_not_found(lab):
    async with lab.agent() as agent:
        lab.make(container={"image": "redis"})
        await lab.eventually(lambda: "Pull" in str(lab.api.container()["state"]))
        with pytest.raises(Refused, match="is waiting to start: trying and failing to pull image"):
            agent.api.logs("default", "web", "web", {})
        with pytest.raises(Refused, match='container "other" not found'):
            agent.api.logs("default", "web", "other", {})
        with pytest.raises(Refused, match="previous terminated container"):
            agent.api.logs("default", "web", "web", {"previous": "true"})


async def test_a_full_disk_costs_a_container_its_log_and_not_its_life(tmp_path, monkeypatch, caplog):
    log, real, told = LogFile(tmp_path / "0.log"), os.write, []
    log.tap(lambda stream, data: told.append(data))

    def full(_file, _data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log.write("stdout", b"one\n")
    monkeypatch.setattr(os, "write", full)
    log.write("stdout", b"two\n")
    log.write("stdout", b"three\nrest")
    monkeypatch.setattr(os, "write", real)
    log.write("stdout", b"\nfour\n")
    log.close()
    assert [line.split()[-1] for line in log.path.read_text().splitlines()] == ["one", "rest", "four"]
    assert b"".join(told) == b"one\ntwo\nthree\nrest\nfour\n"
    assert [record.getMessage() for record in caplog.records] == [
        f"{log.path} cannot be written, and lacks lines from now on: No space left on device"
    ]
