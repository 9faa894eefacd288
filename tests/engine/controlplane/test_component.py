"""One program: started, started again, ended, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kubelab.engine.controlplane import ControlPlaneError
from kubelab.engine.controlplane.upstream import leash
from kubelab.engine.controlplane.upstream.component import Component


async def well() -> bool:
    return True


async def ill() -> bool:
    return False


def component(tmp_path: Path, script: str, healthy=well) -> Component:
    return Component("thing", ["/bin/sh", "-c", script], tmp_path, healthy)


async def until(condition, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (a process tells nobody)
            await asyncio.sleep(0.01)


async def test_one_that_ends_while_it_starts_is_told_with_its_last_words(tmp_path):
    thing = component(tmp_path, "echo bind: address already in use >&2; exit 3", ill)
    await thing.start()
    with pytest.raises(ControlPlaneError, match="thing ended while it was starting: bind: address already in use"):
        await thing.ready(20)


async def test_one_that_does_not_get_well_is_told(tmp_path):
    thing = component(tmp_path, "exec sleep 60", ill)
    await thing.start()
    with pytest.raises(ControlPlaneError, match=r"thing is not ready after 0 s \(see .*thing.log\)"):
        await thing.ready(0.05)
    await thing.stop()
    assert not thing.is_up


async def test_one_that_ends_is_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr("kubelab.engine.controlplane.upstream.component.FIRST_RETRY_SECONDS", 0.01)
    (tmp_path / "lives").touch()
    thing = component(tmp_path, f"echo life >> {tmp_path}/lives; [ $(wc -l < {tmp_path}/lives) = 3 ] && exec sleep 60")
    await thing.start()
    running = asyncio.create_task(thing.run())
    await until(lambda: thing.is_up and (tmp_path / "lives").read_text().count("life") == 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await thing.stop()


async def test_one_that_ignores_a_polite_word_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("kubelab.engine.controlplane.upstream.component.END_SECONDS", 0.05)
    thing = component(tmp_path, f"trap '' TERM; touch {tmp_path}/deaf; while :; do sleep 60; done")
    await thing.start()
    await until((tmp_path / "deaf").exists)
    await thing.stop()
    assert not thing.is_up


def test_it_dies_with_its_parent_even_when_that_is_killed(tmp_path):
    pid_file = tmp_path / "pid"
    code = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-I', '-S', {leash.__file__!r}, str(os.getpid()), '/bin/sh', '-c',"
        f" 'echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60'])\n"
        f"while not os.path.exists({str(pid_file)!r}): time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], timeout=30)
    assert done.returncode == -signal.SIGKILL
    pid = int(pid_file.read_text())
    asyncio.run(until(lambda: not _runs(pid)))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_does_not_begin_when_its_parent_is_gone_already():
    argv = [sys.executable, "-I", "-S", leash.__file__, "1" if os.getpid() != 1 else "2", "/bin/sh", "-c", "exit 0"]
    assert subprocess.run(argv, timeout=30).returncode == 1
