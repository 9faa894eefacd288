"""What a node's nftables hold: tables with chains of rules, and sets and maps of elements (nft(8)).

Chains, sets and tables that a transaction touches are copied first, so an object that is held keeps what it says;
only what packets themselves change (counters, elements that rules add) is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, NamedTuple

from kubelab.rules.nft.sets import fits, freeze, is_wide, plain

DYNAMIC_SIZE = 65_535
"""How many elements a set holds that rules add to, unless it says so itself."""


class Hook(NamedTuple):
    """Where the kernel calls a base chain."""

    kind: str
    """``filter``, ``nat`` or ``route``."""
    hook: str
    """In capitals: ``PREROUTING``."""
    priority: int
    policy: str = "accept"


@dataclass(eq=False, slots=True)
class Rule:
    """Statements in the shape of ``nft -j``."""

    handle: int
    expressions: list[Any]
    comment: str = ""
    compiled: Any = None
    """What `kubelab.rules.nft.compiled` made of it."""


@dataclass(slots=True)
class Chain:
    """Rules in order; with a hook it is a base chain."""

    name: str
    handle: int
    hook: Hook | None = None
    comment: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(slots=True)
class Element:
    """One element of a set, or of a map with what it maps to."""

    key: Any
    """In the shape of ``nft -j``, without attributes."""
    data: Any = None
    comment: str = ""
    timeout: float = 0
    """Seconds that it stays; 0: for ever."""
    until: float = 0
    """When it goes, by the clock of the container."""


@dataclass(slots=True)
class Container:
    """A set, or with ``data`` a map."""

    name: str
    handle: int
    type: tuple[str, ...]
    data: tuple[str, ...] = ()
    """The types of what a map maps to: ``("verdict",)``."""
    flags: tuple[str, ...] = ()
    timeout: float = 0
    size: int = 0
    comment: str = ""
    elements: dict[Any, Element] = field(default_factory=dict)
    """By the key as `freeze` makes it."""
    wide: tuple[Element, ...] = ()
    """Those whose keys are networks or ranges."""
    now: Callable[[], float] = monotonic

    @property
    def is_map(self) -> bool:
        """Whether its elements map to something."""
        return bool(self.data)

    def get(self, key: Any) -> Element | None:
        """The element that a value is, or lies in."""
        found = self.elements.get(key)
        if found is None:
            return next((each for each in self.wide if fits(key, each.key)), None) if self.wide else None
        if found.until and found.until <= self.now():
            del self.elements[key]
            return None
        return found

    def alive(self) -> Iterator[Element]:
        """The elements whose time has not run out."""
        now = self.now()
        return (each for each in self.elements.values() if not each.until or each.until > now)

    def add(self, element: Element) -> None:
        """Take an element in; one with the same key is replaced, and its time begins."""
        seconds = element.timeout or self.timeout
        element.until = self.now() + seconds if seconds else 0
        self.elements[freeze(element.key)] = element
        if is_wide(element.key):
            self.wide = (*self.wide, element)

    def make_room(self) -> bool:
        """Whether one more element fits; those whose time has run out go first."""
        most = self.size or DYNAMIC_SIZE
        if len(self.elements) >= most:
            now = self.now()
            for key in [key for key, each in self.elements.items() if each.until and each.until <= now]:
                del self.elements[key]
        return len(self.elements) < most

    def remove(self, key: Any) -> bool:
        """Take the element with a key (in the shape of ``nft -j``) out; whether it was there."""
        found = self.elements.pop(freeze(key), None)
        if found is not None and self.wide:
            self.wide = tuple(each for each in self.wide if each is not found)
        return found is not None

    def copy(self) -> Container:
        """Another one with the same elements."""
        return replace(self, elements=dict(self.elements))


@dataclass(slots=True)
class Table:
    """Chains and sets by name, each in the order in which they were made."""

    family: str
    name: str
    handle: int
    comment: str = ""
    chains: dict[str, Chain] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    handles: int = 0
    """The last handle that was given."""

    @property
    def label(self) -> str:
        """``ip kube-proxy``."""
        return f"{self.family} {self.name}"

    def next_handle(self) -> int:
        """A handle for something new."""
        self.handles += 1
        return self.handles

    def copy(self) -> Table:
        """Another one with the same chains and sets."""
        return replace(self, chains=dict(self.chains), containers=dict(self.containers))


def element_of(given: Any) -> Element:
    """An element in the shape of ``nft -j``: a key, or a list of key and data, the key with attributes or not."""
    key, data = given if isinstance(given, list) else (given, None)
    said = key["elem"] if isinstance(key, dict) and "elem" in key else {}
    return Element(plain(key), data, said.get("comment", ""), said.get("timeout", 0))
