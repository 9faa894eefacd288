"""Nothing is left behind, whoever dies first: without PID namespaces too."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from kubelab.clusters.descendants import below
from kubelab.engine.network.contract import Program, pod

ENV = {"PATH": "/usr/bin:/bin"}


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


@pytest.mark.parametrize("victim", ["guard", "agent"])
async def test_whoever_is_killed_no_programs_child_outlives_the_network(lab, victim):
    await lab.pod("a")
    program = Program(["sh", "-c", "(setsid sleep 602 &); sleep 601 & wait"], env=ENV)
    await lab.network.start(pod("a"), program, stdin=None, stdout=None, stderr=None)
    guard = lab.network._agent.process.pid

    async def all_there() -> bool:
        return len(below(guard)) == 5  # the guard, the agent, and these three

    await lab.eventually(all_there)
    family = below(guard)
    os.kill(family[0 if victim == "guard" else 1], signal.SIGKILL)
    await lab.network.lost()

    async def all_gone() -> bool:
        return not any(map(alive, family))

    await lab.eventually(all_gone)
