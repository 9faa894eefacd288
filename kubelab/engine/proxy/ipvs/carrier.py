"""What holds a plan in a node: the kernel's IPVS, or nf_tables in its place."""

from __future__ import annotations

from typing import Protocol

from kubelab.engine.proxy.backend import LoadError
from kubelab.engine.proxy.ipvs.plan import Plan
from kubelab.engine.proxy.ipvs.servers import Connections, Servers
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.tool import Finished, Run


class Carrier(Protocol):
    """All methods raise `LoadError`."""

    detail: str
    """What one should know of it, to be read after the mode's name; empty for the kernel's IPVS."""
    owned: Owned

    async def servers(self) -> Servers:
        """The virtual servers that stand, whoever made them."""
        ...

    async def connections(self) -> Connections:
        """What connections the real servers have."""
        ...

    async def load(self, plan: Plan, before: Servers, after: Servers) -> None:
        """Everything of the plan, but with ``after`` for its virtual servers where ``before`` stood."""
        ...

    async def adjust(self, before: Servers, after: Servers) -> None:
        """The virtual servers only."""
        ...

    async def gone(self) -> bool:
        """Whether somebody took it away."""
        ...

    async def clean_up(self, keep: Owned) -> None:
        """Take everything away."""
        ...


async def call(run: Run, argv: list[str], stdin: str = "") -> str:
    """Run a tool that has to succeed; what it printed. Raises `LoadError`."""
    done = await run(argv, stdin.encode())
    if done.code != 0:
        raise LoadError(f"{argv[0]} ended with code {done.code}: {said(done)}")
    return done.stdout.decode(errors="replace")


def said(done: Finished) -> str:
    """A tool's complaint."""
    return done.stderr.decode(errors="replace").strip() or "it said nothing"
