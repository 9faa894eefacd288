"""Nothing is left behind, whoever dies first."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, NetworkLost, Program, node, pod
from kubelab.engine.network.start import start_network

PATH = "/usr/bin:/bin"
WORKER = nodes()[1]

ENGINE = """
import asyncio, sys
from pathlib import Path
from kubelab.engine.config import nodes
from kubelab.engine.network.contract import Program, pod
from kubelab.engine.network.start import start_network

async def main():
    network = await start_network(Path(sys.argv[1]), sys.argv[2])
    await network.add_node(nodes()[1])
    await network.add_pod("a", nodes()[1].name, "10.244.1.2")
    sleep = Program(["sleep", "600"], env={"PATH": "/usr/bin:/bin"})
    await network.start(pod("a"), sleep, stdin=None, stdout=None, stderr=None)
    print("up", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def status(pid: int | str) -> tuple[str, int] | None:
    """A process's state letter and its parent; None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def family(pid: int) -> set[int]:
    """A process and all below it."""
    parents = {int(name): known[1] for name in os.listdir("/proc") if name.isdigit() and (known := status(name))}
    found = {pid} & parents.keys()
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that run. An orphan that its new parent has not reaped yet is dead."""
    return {pid for pid in pids if (known := status(pid)) and known[0] != "Z"}


def namespaces(pids: Iterable[int | str]) -> set[str]:
    """The namespaces in which processes are, as far as we may see them."""
    found = set()
    for pid in pids:
        for kind in ("net", "pid", "mnt"):
            with suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
    return found


async def ended(lab, pids: set[int]) -> None:
    """Return when all are dead, within a second."""

    async def dead() -> bool:
        return not alive(pids)

    await lab.eventually(dead, seconds=1)


async def busy(lab) -> set[int]:
    """A pod with a program, its child, and one whose parent has ended; all processes of the network."""
    await lab.pod("a")
    program = Program(["sh", "-c", "(setsid sleep 602 &); sleep 601 & wait"], env={"PATH": PATH})
    await lab.network.start(pod("a"), program, stdin=None, stdout=None, stderr=None)

    async def all_there() -> bool:
        return len(family(lab.network._agent.process.pid)) == 5  # the guard, the agent, and these three

    await lab.eventually(all_there)
    return family(lab.network._agent.process.pid)


async def test_close_ends_every_process_and_takes_the_agents_directory_away(lab, tmp_path):
    mounts = Path("/proc/self/mountinfo").read_text
    before = mounts()
    pids = await busy(lab)
    started = asyncio.get_running_loop().time()
    await lab.network.close()
    await lab.network.close()
    assert asyncio.get_running_loop().time() - started < 0.5
    assert {pid for pid in pids if status(pid)} == set()
    assert os.listdir(tmp_path) == []
    assert mounts() == before


async def test_close_takes_every_namespace_away(lab):
    pids = await busy(lab)
    made = namespaces(pids) - namespaces(["self"])
    assert len(made) >= 6
    await lab.network.close()
    assert made & namespaces(name for name in os.listdir("/proc") if name.isdigit()) == set()


async def test_a_start_that_is_cancelled_leaves_no_process_and_no_directory(lab, tmp_path):
    before = family(os.getpid())
    starting = asyncio.create_task(start_network(tmp_path / "cancelled", lab.network.tier))

    async def has_begun() -> bool:
        return bool(family(os.getpid()) - before)

    await lab.eventually(has_begun)
    begun = family(os.getpid()) - before
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert alive(begun | family(os.getpid()) - before) == set()
    assert os.listdir(tmp_path / "cancelled") == []


@pytest.mark.parametrize("victim", ["guard", "agent"])
async def test_after_kill_9_of_the_agent_all_is_gone_and_calls_say_so(lab, victim):
    pids = await busy(lab)
    guard = lab.network._agent.process.pid
    waiting = asyncio.create_task(lab.network.run(OUTSIDE, ["sleep", "600"]))
    await lab.network.run(OUTSIDE, ["true"])
    agent = next(pid for pid in pids if (known := status(pid)) and known[1] == guard)
    os.kill(guard if victim == "guard" else agent, signal.SIGKILL)
    async with asyncio.timeout(1):
        await lab.network.lost()
    await ended(lab, pids)
    with pytest.raises(NetworkLost):
        await waiting
    with pytest.raises(NetworkLost):
        await lab.network.connect(node(WORKER.name), "10.244.1.2", 80)
    with pytest.raises(NetworkLost):
        await lab.network.remove_pod("a")


async def test_after_kill_9_of_the_engine_all_is_gone_within_a_second(lab, tmp_path):
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENGINE, str(tmp_path / "engine"), lab.network.tier, stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None
    assert await engine.stdout.readline() == b"up\n"
    pids = family(engine.pid)
    assert len(pids) >= 4
    engine.kill()
    await ended(lab, pids)
    await engine.wait()


async def test_a_signal_of_the_terminal_does_not_reach_the_agent(lab):
    agent = lab.network._agent.process
    assert os.getsid(agent.pid) != os.getsid(0)
    (process_one,) = family(agent.pid) - {agent.pid}
    os.kill(process_one, signal.SIGINT)
    os.kill(process_one, signal.SIGTERM)
    assert (await lab.network.run(OUTSIDE, ["true"])).code == 0


async def test_what_lives_in_the_network_loads_the_standard_library_and_kubelab_only(lab):
    script = "import sys; sys.path.append(sys.argv[1]); import kubelab.engine.network.agent.namespaces\n"
    script += "from kubelab.engine.network.agent.__main__ import _load_what_pods_share; _load_what_pods_share()\n"
    script += "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'})"
    root = str(Path(__file__).parents[3])
    finished = await lab.tool(OUTSIDE, [sys.executable, "-I", "-S", "-c", script, root])
    assert finished.stdout.split() == [b"kubelab"]
