"""The device that has the virtual addresses, which are local addresses of the node thereby."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from kubelab.engine.proxy.ipvs.carrier import call
from kubelab.engine.proxy.ipvs.plan import DUMMY_DEVICE
from kubelab.engine.proxy.tool import Run

log = logging.getLogger(__name__)


class VirtualDevice:
    """``kube-ipvs0``. ``types`` are the kinds of device to try, the best one first."""

    def __init__(self, run: Run, family: int, types: Iterable[str] = ("dummy",)) -> None:
        self._run = run
        self._family = family
        self._bits = 128 if family == 6 else 32
        self._types = tuple(types)

    async def ensure(self) -> bool:
        """Make it if it is not there. Whether there is one: False where the kernel has none of the types."""
        if (await self._run(["ip", "link", "show", "dev", DUMMY_DEVICE], b"")).code == 0:
            return True
        for kind in self._types:
            done = await self._run(["ip", "link", "add", DUMMY_DEVICE, "type", kind], b"")
            if done.code == 0:
                return True
            log.debug("there is no device of type %s: %s", kind, done.stderr.decode(errors="replace").strip())
        return False

    async def bind(self, addresses: Collection[str]) -> None:
        """Add the addresses that it lacks. Raises `LoadError`."""
        held = await self.addresses()
        await self._batch("add", (ip for ip in addresses if ip not in held))

    async def unbind_others(self, addresses: Collection[str]) -> None:
        """Take away those that are not wanted. Raises `LoadError`."""
        await self._batch("del", (ip for ip in await self.addresses() if ip not in addresses))

    async def remove(self) -> None:
        """Delete it, and the addresses with it; quiet when it is not there."""
        await self._run(["ip", "link", "delete", DUMMY_DEVICE], b"")

    async def addresses(self) -> list[str]:
        """What it has. Raises `LoadError`."""
        listed = await call(self._run, ["ip", "-o", f"-{self._family}", "address", "show", "dev", DUMMY_DEVICE])
        words = (line.split() for line in listed.splitlines())
        found = (each[each.index("inet6" if self._family == 6 else "inet") + 1] for each in words)
        return [address.partition("/")[0] for address in found if not address.startswith("fe80:")]

    async def _batch(self, verb: str, addresses: Iterable[str]) -> None:
        lines = [f"address {verb} {ip}/{self._bits} dev {DUMMY_DEVICE}" for ip in addresses]
        if lines:
            await call(self._run, ["ip", "-batch", "-"], "\n".join([*lines, ""]))
