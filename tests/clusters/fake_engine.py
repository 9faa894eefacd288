"""Stands in for the engine's process: speaks the control protocol, carries no packet.

The first argument says how it misbehaves, the rest are the engine's own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from kubelab.engine.control.server import Call, ControlServer
from kubelab.engine.options import Options
from kubelab.engine.state import AlreadyRunning


async def main(manner: str, options: Options) -> int:
    state = options.state
    if manner == "refuses":
        options.report("Port 6443 on 127.0.0.1 is taken; choose another with --api-port.")
        return 1
    if manner == "breaks":
        print("loading", "No module named 'aiohttp'", sep="\n", flush=True)
        return 1
    try:
        state.claim()
    except AlreadyRunning as error:
        options.report(str(error))
        return 1
    state.write(state.kubeconfig, "a kubeconfig")
    child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)  # noqa: ASYNC220
    ended = asyncio.Event()

    async def status(_: Call) -> dict:
        server = f"https://127.0.0.1:{options.api_port or 40000}"
        return {
            "ready": True,
            "detail": "all is well",
            "tier": "root",
            "server": server,
            "nodes": [],
            "pid": os.getpid(),
            "cut_off": cut_off,
        }

    async def run(call: Call) -> dict:
        argv = call.arguments["argv"]
        done = subprocess.run(argv, input=call.arguments["stdin"], capture_output=True, text=True)  # noqa: ASYNC221
        return {"code": done.returncode, "stdout": f"{call.arguments['place']}: {done.stdout}", "stderr": done.stderr}

    async def start(call: Call) -> dict:
        stdin, stdout, stderr = call.files
        process = await asyncio.create_subprocess_exec(
            *call.arguments["argv"], stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )

        async def forward() -> None:
            while True:
                process.send_signal(await call.signals.get())

        forwarding = asyncio.create_task(forward())
        try:
            return {"code": await process.wait()}
        except asyncio.CancelledError:
            process.kill()
            raise
        finally:
            forwarding.cancel()

    async def reset(_: Call) -> dict:
        return {}

    modes = {"one": "iptables", "two": "nftables" if manner == "differs" else "iptables"}

    async def proxy_mode(call: Call) -> dict:
        if mode := call.arguments.get("mode"):
            modes.update(dict.fromkeys(modes, mode))
        return {"modes": modes, "details": {"two": "evaluated: no IPVS"} if modes["two"] == "ipvs" else {}}

    cut_off: list[str] = []

    async def cut(call: Call) -> dict:
        cut_off.append(call.arguments["node"])
        return {}

    async def mend(call: Call) -> dict:
        cut_off.remove(call.arguments["node"])
        return {}

    async def down(_: Call) -> dict:
        if manner != "clings":
            ended.set()
        return {}

    server = ControlServer(state)
    for handler in (status, run, start, reset, proxy_mode, cut, mend, down):
        server.on(handler.__name__.replace("_", "-"), handler)
    await server.start()
    if manner == "slow":
        await asyncio.sleep(0.3)
    if manner != "mute":
        options.report()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, (lambda: None) if manner == "clings" else ended.set)
    await ended.wait()
    await server.close()
    child.kill()
    child.wait()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it, and so would our programs
    sys.exit(asyncio.run(main(sys.argv[1], Options.parse(sys.argv[2:]))))
