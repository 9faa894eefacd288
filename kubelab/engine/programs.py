"""Running a program in a node, in a pod's network or outside, on behalf of the control socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from kubelab.engine.control.server import Call, Refused
from kubelab.engine.network.contract import Finished, Network, NetworkLost, Place, Program, StartFailed

RULE_TOOLS = frozenset({
    "iptables", "iptables-save", "iptables-restore", "iptables-nft", "nft", "conntrack",
    "ip", "ss", "netstat", "tcpdump",
})  # fmt: skip
"""Where the kernel holds no rules, `Network.run` answers these from what it evaluates, or says that it cannot."""
Answer = Callable[[Place, Sequence[str]], Awaitable[Finished | None]]
"""What a tool prints that is answered for in a place; None: run it."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def run(network: Network | None, call: Call, answer: Answer) -> Mapping[str, Any]:
    """A tool to its end, its output collected."""
    arguments = call.arguments
    try:
        place, argv = _place(arguments.get("place", "")), [str(each) for each in arguments["argv"]]
        finished = await answer(place, argv) or await _network(network).run(
            place,
            argv,
            stdin=str(arguments.get("stdin", "")).encode(),
            timeout_seconds=float(arguments.get("timeout_seconds", 30)),
        )
    except (NetworkLost, KeyError) as error:
        raise Refused(f"Nothing can run there: {_clause(error)}.") from None
    return {
        "code": finished.code,
        "stdout": finished.stdout.decode(errors="replace"),
        "stderr": finished.stderr.decode(errors="replace"),
    }


async def start(network: Network | None, call: Call, answer: Answer) -> Mapping[str, Any]:
    """A program on the client's own stdin, stdout and stderr; the client's signals are passed on."""
    if len(call.files) != 3:
        raise Refused("'start' needs three file descriptors: stdin, stdout and stderr.")
    arguments = call.arguments
    program = Program(
        argv=[str(each) for each in arguments["argv"]],
        env={"PATH": PATH, "HOME": os.environ.get("HOME", "/"), **(arguments.get("env") or {})},
        tty=bool(arguments.get("tty")),
    )
    stdin, stdout, stderr = call.files
    if finished := await answer(_place(arguments.get("place", "")), program.argv):
        return await _written(finished, call.files)
    if _network(network).tier == "interposed" and program.argv[0].rpartition("/")[2] in RULE_TOOLS:
        return await _answered(_network(network), _place(arguments.get("place", "")), program, call.files)
    try:
        process = await _network(network).start(
            _place(arguments.get("place", "")), program, stdin=stdin, stdout=stdout, stderr=stderr
        )
    except StartFailed as error:
        os.write(stderr, f"kubelab: {error}\n".encode())
        return {"code": error.code}
    except (NetworkLost, KeyError) as error:
        raise Refused(f"Nothing can run there: {_clause(error)}.") from None
    passing_on = asyncio.ensure_future(_pass_on(call, process))
    try:
        return {"code": await process.wait()}
    except asyncio.CancelledError:
        await process.signal(9)
        raise
    finally:
        passing_on.cancel()


async def _answered(network: Network, place: Place, program: Program, files: list[int]) -> Mapping[str, Any]:
    """A tool that is answered for and not started, on the client's own files."""
    stdin = files[0]
    reads = program.argv[0].endswith("-restore") or "-" in program.argv
    fed = await asyncio.to_thread(_read_all, stdin) if reads else b""
    return await _written(await network.run(place, program.argv, stdin=fed), files)


async def _written(finished: Finished, files: list[int]) -> Mapping[str, Any]:
    _, stdout, stderr = files
    for file, output in ((stdout, finished.stdout), (stderr, finished.stderr)):
        await asyncio.to_thread(_write_all, file, output)
    return {"code": finished.code}


def _read_all(file: int) -> bytes:
    with open(file, "rb", closefd=False) as source:
        return source.read()


def _write_all(file: int, data: bytes) -> None:
    with open(file, "wb", closefd=False) as target:
        target.write(data)


async def _pass_on(call: Call, process: Any) -> None:
    while True:
        await process.signal(await call.signals.get())


def _network(network: Network | None) -> Network:
    if network is None:
        raise Refused("The cluster is still starting; try again in a second.")
    return network


def _place(text: str) -> Place:
    kind, _, name = text.partition("/")
    if kind not in ("node", "pod", "outside"):
        raise Refused(f"There is no place {text!r}: name node/NAME, pod/UID or outside.")
    return Place(kind, name)  # type: ignore[arg-type]


def _clause(error: Exception) -> str:
    """What an error says, to go on in a sentence."""
    return str(error).rstrip(".")
