"""Process 1 of the ingress pod."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from kubelab.engine.ingress import supervisor
from kubelab.engine.ingress.supervisor import Child, readable

SECONDS = 20

PROGRAM = r"""
import sys
from pathlib import Path
from kubelab.engine.ingress.supervisor import Child, Supervisor

SAY = "import os, sys, time; os.write(1, f'{sys.argv[1]} {os.getpid()}\\n'.encode()); time.sleep(600)"
one = [sys.executable, "-c", SAY]
envoys = [Child(name, [*one, name]) for name in ("first", "second")]
Supervisor(envoys, Child("third", [*one, "controller"]), Path(sys.argv[1]), (1, 2)).run()
"""


@contextmanager
def supervised(folder):
    argv = [sys.executable, "-u", "-c", PROGRAM, str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process, number):
    """The next lines, as word → rest."""
    found = {}
    for _ in range(number):
        first, _, rest = process.stdout.readline().partition(" ")
        found[first] = rest.strip()
    return found


@pytest.mark.timeout(SECONDS)
def test_who_dies_is_started_again_and_the_others_stay(tmp_path):
    with supervised(tmp_path) as process:
        before = lines(process, 3)
        os.kill(int(before["first"]), signal.SIGKILL)
        after = lines(process, 2)
        assert after.pop("[INFO]") == "first ended with code -9; it starts again"
        assert after.keys() == {"first"}
        assert after["first"] != before["first"]
        os.kill(int(before["second"]), 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


@pytest.mark.timeout(SECONDS)
def test_an_envoy_that_finds_a_half_written_file_has_the_controller_write_it_anew(tmp_path):
    with supervised(tmp_path) as process:
        before = lines(process, 3)
        (tmp_path / "listeners.json").write_text('{"resources": [')
        os.kill(int(before["second"]), signal.SIGKILL)
        said = [process.stdout.readline() for _ in range(5)]
        assert "[INFO] a file of Envoy's cannot be read; the controller writes all of them anew\n" in said
        assert "[INFO] third ended with code -15; it starts again\n" in said
        assert {line.split()[0] for line in said} == {"[INFO]", "second", "controller"}


def test_only_a_whole_file_is_readable(tmp_path):
    assert readable(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"resources": []}))
    (tmp_path / ".b.json.17").write_text("{")
    assert readable(tmp_path)
    (tmp_path / "a.json").write_text('{"resources"')
    assert not readable(tmp_path)


def test_what_dies_at_once_again_and_again_waits_longer_each_time(monkeypatch):
    now = 100.0
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now)
    monkeypatch.setattr(supervisor.os, "posix_spawn", lambda *_, **__: 1)
    child, pauses = Child("one", ["/bin/true"]), []
    for _ in range(8):
        child.start()
        child.died()
        pauses.append(child.due - now)
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    child.start()
    now += 60
    child.died()
    assert child.is_due()
