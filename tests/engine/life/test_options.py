from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kubelab.engine.options import Options


@pytest.mark.parametrize(
    "options",
    [
        Options("demo", Path("/state/demo")),
        Options("demo", Path("/with space/demo"), tier="user", api_port=6443, idle_seconds=1.5, ready_fd=7),
    ],
)
def test_the_engine_reads_what_its_starter_wrote(options):
    assert Options.parse(options.argv()) == options


def test_an_unknown_tier_is_refused(capsys):
    with pytest.raises(SystemExit):
        Options.parse(["--name", "demo", "--state", "/s", "--tier", "vm"])
    assert "invalid choice: 'vm'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [(None, {"ready": True, "pid": os.getpid()}), ("Port 6443 is taken.", {"error": "Port 6443 is taken."})],
)
def test_the_starter_hears_how_the_start_went(error, said):
    mine, theirs = os.pipe()
    Options("demo", Path("/s"), ready_fd=theirs).report(error)
    with open(mine) as pipe:
        assert json.load(pipe) == said


def test_an_engine_started_by_hand_has_nobody_to_tell():
    Options("demo", Path("/s")).report()


def test_a_starter_that_has_left_is_no_trouble():
    mine, theirs = os.pipe()
    os.close(mine)
    Options("demo", Path("/s"), ready_fd=theirs).report()
    with pytest.raises(OSError):
        os.fstat(theirs)
