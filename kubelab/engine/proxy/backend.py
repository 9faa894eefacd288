"""What a mode of kube-proxy must be able to do: everything else about a proxy is the same in all of them.

A backend has one address family of one node. `FamilyProxy` owns it: it says when to load everything and when a
difference, measures, and forgets stale UDP flows; `modes.BACKENDS` names a factory for each mode.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kubelab.engine.metrics import Metrics
from kubelab.engine.options import ProxyMode
from kubelab.engine.proxy.config import ProxyConfig
from kubelab.engine.proxy.jumps import Owned
from kubelab.engine.proxy.services import PortName
from kubelab.engine.proxy.state import ProxyState
from kubelab.engine.proxy.tool import Finished, Run


class LoadError(Exception):
    """The kernel or the tool refused the rules, or the tool is not there. The text is one sentence without its end."""


@dataclass(frozen=True)
class Setting:
    """Where and with what a backend works."""

    run: Run
    """Runs tools in the node's network."""
    config: ProxyConfig
    family: int
    metrics: Metrics
    """Of this family; a mode adds the metrics that only it has."""
    now: Callable[[], float] = time.monotonic


class Backend(Protocol):
    """One mode's rules in the kernel. To make one does nothing yet; calls never overlap."""

    mode: ProxyMode
    owned: Owned
    """What it has in iptables' tables when it is loaded; empty for a mode that has nothing there."""

    async def sync(self, state: ProxyState, changed: Collection[PortName] | None) -> Mapping[str, int]:
        """Bring the kernel to ``state``, and remember what it needs for the next time.

        ``changed`` are the ports that differ from the last successful sync's (also those that are gone); None: load
        everything, whatever is there. Returns how many ports have endpoints but none here, by policy (``internal``,
        ``external``). Raises `LoadError`; the next sync is a full one then.
        """
        ...

    async def gone(self) -> bool:
        """Whether somebody flushed the rules, asked once in a sync period. Raises `LoadError`."""
        ...

    async def clean_up(self, keep: Owned) -> None:
        """Remove everything of this mode and nothing else; what is not there is no error. Raises `LoadError`.

        Traffic is served by another mode's rules at that moment: ``keep`` is what these own, of which some has the
        same name.
        """
        ...


@runtime_checkable
class StandsIn(Protocol):
    """A backend that may have to do without what its mode needs of the kernel, and then answers for it."""

    @property
    def detail(self) -> str:
        """What stands in and why, in a few words; empty while nothing does."""
        ...

    async def answer(self, argv: Sequence[str]) -> Finished | None:
        """What one of the mode's tools would print in the node; None: run the real one."""
        ...


Factory = Callable[[Setting], Backend]
