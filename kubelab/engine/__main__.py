"""``python -m kubelab.engine``: one cluster's engine, in the foreground."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys

from kubelab.engine.options import Options
from kubelab.engine.room import make_room
from kubelab.engine.state import StateError


def main() -> int:
    """Run until SIGTERM, SIGINT or ``down``; 1, and one sentence to the starter, when it cannot."""
    options = Options.parse(sys.argv[1:])
    make_room()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        options.state.create()
        held = options.state.claim()
    except StateError as error:
        return _fail(options, error)
    try:
        return asyncio.run(_run(options))
    finally:
        options.state.pid.unlink(missing_ok=True)
        del held


async def _run(options: Options) -> int:
    from kubelab.engine.controlplane import ControlPlaneError
    from kubelab.engine.engine import Engine, EngineError
    from kubelab.engine.network.start import NoNetwork

    gc.freeze()
    engine = Engine(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.stop)
    try:
        await engine.run()
    except (EngineError, ControlPlaneError, NoNetwork, StateError) as error:
        return _fail(options, error)
    except OSError as error:
        return _fail(options, StateError(f"The engine cannot use what it needs ({error}): see {options.state.log}."))
    return 0


def _fail(options: Options, error: Exception) -> int:
    options.report(str(error))
    print(f"kubelab: {error}", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
