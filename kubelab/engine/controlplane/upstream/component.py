"""One program of the control plane: started, asked whether it is well, started again when it ends, ended."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from kubelab.engine.controlplane.contract import ControlPlaneError
from kubelab.engine.controlplane.upstream import leash

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
END_SECONDS = 3.0
"""Within an engine's own time to end."""
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""Who ran for so long is started again at once."""
LONGEST_LOG = 4 << 20

Healthy = Callable[[], Awaitable[bool]]


class Component:
    """Ends with the engine's process, also when that is killed. Its log is ``NAME.log``."""

    def __init__(self, name: str, argv: Sequence[str | Path], logs: Path, healthy: Healthy) -> None:
        self.name = name
        self._argv = [str(part) for part in argv]
        self.log = logs / f"{name}.log"
        self._healthy = healthy
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it. Raises `ControlPlaneError`."""
        command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *self._argv]
        try:
            if self.log.exists() and self.log.stat().st_size > LONGEST_LOG:
                self.log.unlink()
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, cwd="/"
                )
            finally:
                os.close(output)
        except OSError as error:
            raise ControlPlaneError(f"{self.name} cannot be started: {error}.") from error

    async def ready(self, seconds: float) -> None:
        """Wait until it is well. Raises `ControlPlaneError` when it ends instead, or takes longer."""
        assert self._process is not None
        try:
            async with asyncio.timeout(seconds):
                while not await self._healthy():
                    if self._process.returncode is not None:
                        raise ControlPlaneError(f"{self.name} ended while it was starting{self._last_words()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise ControlPlaneError(f"{self.name} is not ready after {seconds:.0f} s{self._last_words()}") from None

    async def run(self) -> None:
        """Start it again whenever it ends, until cancelled. Raises `ControlPlaneError`."""
        loop, pause = asyncio.get_running_loop(), FIRST_RETRY_SECONDS
        while True:
            assert self._process is not None
            since = loop.time()
            code = await self._process.wait()
            pause = FIRST_RETRY_SECONDS if loop.time() - since > STEADY_SECONDS else pause
            log.warning("%s ended with %s and is started again%s", self.name, code, self._last_words())
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)
            await self.start()

    @property
    def is_up(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> None:
        """End it; quiet when it does not run."""
        if self._process is None or not self.is_up:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _last_words(self) -> str:
        lines = self.log.read_bytes()[-2000:].decode(errors="replace").splitlines() if self.log.exists() else []
        said = f": {lines[-1][-300:]}" if lines else ""
        return f"{said} (see {self.log})."
