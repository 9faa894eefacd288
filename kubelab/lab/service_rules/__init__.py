"""A Service's own rules on a node in each of kube-proxy's modes: read from the node, or compiled from the same objects.

The mode that runs is read live; what the others would load comes from the compilers that kubelab's kube-proxy uses
itself. Which is which, `ModeRules.source` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from kubelab.clusters.base import ProxyMode
from kubelab.lab.errors import LabError

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

MODES: tuple[ProxyMode, ...] = get_args(ProxyMode)


@dataclass(frozen=True)
class Line:
    """A rule, an element, a server."""

    text: str
    """As it is written."""
    named: str
    """With names in place of addresses, and without what only their order decides."""
    words: str
    leads_to: str = ""
    """The name of the block that it jumps to."""
    share: str = ""
    """``1/3``: what it gets of all new connections; empty where nothing is drawn."""
    aside: str = ""
    """Why the rule's own probability is another."""
    by_address: bool = False
    """Its place among its neighbours is that of its address, which is chance."""


@dataclass(frozen=True)
class Block:
    """A chain, a map, a set, a virtual server."""

    kind: str
    table: str
    name: str
    named: str
    words: str
    lines: tuple[Line, ...]
    others: int
    """How many lines are in it besides that are not the Service's."""


@dataclass(frozen=True)
class ModeRules:
    """The Service in one mode."""

    mode: ProxyMode
    live: bool
    source: str
    """Where the lines come from, in a sentence."""
    blocks: tuple[Block, ...]

    @property
    def count(self) -> str:
        """``14 rules in 6 chains``, ``2 virtual servers with 6 real servers``."""
        lines = sum(len(block.lines) for block in self.blocks)
        if self.mode == "ipvs":
            servers = [block for block in self.blocks if block.kind == "virtual server"]
            real = sum(len(block.lines) - 1 for block in servers)
            return f"{_number(len(servers), 'virtual server')}, {_number(real, 'real server')}"
        chains = sum(block.kind == "chain" for block in self.blocks)
        sets = len(self.blocks) - chains
        in_sets = f" and {_number(sets, 'set')}" if sets else ""
        return f"{_number(lines, 'line')} in {_number(chains, 'chain')}{in_sets}"


@dataclass(frozen=True)
class ServiceRules:
    """A Service on one node, in each mode."""

    service: str
    node: str
    running: ProxyMode | None
    modes: tuple[ModeRules, ...]

    def __getitem__(self, mode: str) -> ModeRules:
        for each in self.modes:
            if each.mode == mode:
                return each
        raise LabError(f"{mode!r} is no mode of kube-proxy; there are {', '.join(MODES)}.")

    def text(self) -> str:
        """Every mode with its lines, by names, the same on every run."""
        parts = [f"Service {self.service} on {self.node}"]
        for mode in self.modes:
            parts.append(f"{mode.mode}: {mode.count}. {mode.source}")
            for block in mode.blocks:
                parts.append(f"  {block.kind} {block.named}{f': {block.words}' if block.words else ''}")
                parts += [f"    {line.words or line.named}" for line in stable(block.lines)]
        return "\n".join(parts)

    def __repr__(self) -> str:
        return f"ServiceRules({self.service} on {self.node}: " + "; ".join(
            f"{mode.mode} {mode.count}" for mode in self.modes
        ) + ")"  # fmt: skip


def stable(lines: Sequence[Line]) -> list[Line]:
    """The lines in an order that is the same on every run: those in the order of addresses are sorted by name."""
    by_name = iter(sorted((line for line in lines if line.by_address), key=lambda line: line.named))
    return [next(by_name) if line.by_address else line for line in lines]


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def service_rules(lab: Lab, service: str, node: str | None = None) -> ServiceRules:
    """The rules of a Service on a node (the first worker when left out). Raises `LabError`."""
    from kubelab.lab.service_rules.gathering import gather

    return gather(lab, service, node)
