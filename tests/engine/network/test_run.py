"""Tools of the machine, run in a place."""

from __future__ import annotations

import asyncio

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, node, pod

WORKER = nodes()[1]


async def test_a_tool_gets_its_input_and_gives_its_output_and_code(lab):
    finished = await lab.network.run(OUTSIDE, ["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"x" * 1_000_000)
    assert (finished.code, len(finished.stdout), finished.stderr) == (3, 1_000_000, b"err\n")


async def test_a_long_command_line_reaches_the_agent(lab):
    word = "y" * 100_000
    finished = await lab.network.run(OUTSIDE, ["sh", "-c", "printf %s ${#1}", "sh", word])
    assert finished.stdout == b"100000"


async def test_a_tool_that_there_is_not_ends_with_127(lab):
    finished = await lab.network.run(node(WORKER.name), ["nonesuch"])
    assert finished.code == 127
    assert b"nonesuch" in finished.stderr


async def test_a_tool_that_takes_too_long_is_stopped_with_124_and_all_it_started(lab):
    finished = await lab.network.run(OUTSIDE, ["sh", "-c", "echo begun; sleep 602; :"], timeout_seconds=0.3)
    assert (finished.code, finished.stdout) == (124, b"begun\n")
    assert not await lab.is_running("sleep 602")


async def test_tools_run_side_by_side_in_their_own_network(lab):
    ip = await lab.pod("a")
    places = {pod("a"): ip, node(WORKER.name): WORKER.ip, OUTSIDE: "172.18.0.1"}
    show = ["cat", "/proc/self/net/fib_trie"]
    for finished, ip in zip(
        await asyncio.gather(*(lab.network.run(place, show) for place in places)), places.values(), strict=True
    ):
        assert ip in finished.stdout.decode()
