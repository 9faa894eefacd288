"""Nodes, pods and the outside, and the programs' view of one."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import PurePath

from kubelab.engine.config import NodeSpec
from kubelab.engine.network.contract import Place
from kubelab.rules import Memory, Ruleset
from kubelab.rules.nft.ruleset import NftRuleset


@dataclass
class Site:
    """A place with its addresses."""

    place: Place
    ip: str
    """Its address in the cluster."""
    outer: str
    """The loopback address that stands for it."""
    localhost: str
    """The loopback address that is its 127.0.0.1."""
    node: str = ""
    """The node that a pod is on; a node's own name; empty outside."""
    index: int = 0
    """Of its interface."""


@dataclass
class Host:
    """What a node adds to its site: its rules and what they remember."""

    spec: NodeSpec
    rules: Ruleset = field(default_factory=Ruleset)
    rules6: Ruleset = field(default_factory=Ruleset)
    """What ``ip6tables`` was told: kept, and never asked, for no address here is an IPv6 one."""
    nft: NftRuleset = field(default_factory=NftRuleset)
    memory: Memory = field(default_factory=Memory)
    dice: random.Random = field(default_factory=random.Random)


@dataclass(eq=False)
class Context:
    """One container: where its programs are, which files they see elsewhere, and who they are."""

    site: Site
    hostname: str = ""
    redirects: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Path as the program names it → (path on the machine, read-only)."""
    first: int = 0
    """The process that is ``kill 1`` inside."""
    programs: set[int] = field(default_factory=set)
    """The running programs that were started here, each the leader of a session."""
    threads: dict[int, float] = field(default_factory=dict)
    """Threads that were seen making calls → when last (CLOCK_BOOTTIME): the kernel gives their numbers away again."""
    prefixes: tuple[bytes, ...] = ()
    """The redirects' paths, for a quick look."""
    sources: tuple[str, ...] = ()
    """Where they lead."""

    def __post_init__(self) -> None:
        self._look_for_all()

    def starts(self, pid: int) -> None:
        """A program was started here; the first is process 1 to the others."""
        self.programs.add(pid)
        if not self.first:
            self.first = pid
            if self.site.place.kind == "pod":
                self.redirects["/proc/1"] = (f"/proc/{pid}", True)
                self._look_for_all()

    def _look_for_all(self) -> None:
        self.prefixes = tuple(path.encode() for path in self.redirects)
        self.sources = tuple(f"{source}/" for source, _ in self.redirects.values())
        self._above = {str(each) for source, _ in self.redirects.values() for each in PurePath(source).parents}

    def redirect(self, path: str) -> tuple[str, bool] | None:
        """Where ``path`` is on the machine and whether it is read-only; None when it is no other path."""
        best = ""
        for target in self.redirects:
            if len(target) > len(best) and (path == target or path.startswith(f"{target}/")):
                best = target
        if not best:
            return None
        source, read_only = self.redirects[best]
        if f"{path}/".startswith(self.sources):  # it knows where it really is: getcwd(2) says so
            return None
        found = source + path[len(best) :]
        if path != best and path in self._above and not os.path.lexists(found):  # realpath(3) asks for every step there
            return None
        return found, read_only
