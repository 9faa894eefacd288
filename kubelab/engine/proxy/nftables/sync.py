"""Transactions: the first, and those that bring a table from what it holds to what it should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from kubelab.engine.proxy.nftables.compiler import Table
from kubelab.engine.proxy.nftables.listing import Listing
from kubelab.engine.proxy.nftables.names import is_affinity, is_of_a_port
from kubelab.engine.proxy.nftables.objects import Chain, Container, Element, Statement, table_line
from kubelab.engine.proxy.nftables.shared import BASE_CHAINS, Containers

LONGEST = 100_000
"""Characters of a transaction. A plain user's kernel took 100,000 and refused 200,000; and nft 1.0.6 and the kernel
(6.18) are quicker with several such transactions than with one: 1.5 s and 2.6 s for 5,000 Services."""


class Sync(NamedTuple):
    """One transaction, for ``nft -f -``."""

    blocks: tuple[tuple[str, ...], ...]
    """Lines that should come together: what is shared, then each port, then what is swept up."""
    stale: tuple[str, ...]
    """Chains that are empty afterwards and not needed.

    They cannot go at once: before Linux 6.2 a map's element that is deleted holds on to its chain for a moment. Delete
    them with `delete_chains` in a transaction of its own, a second later.
    """

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them; none when there is nothing to do."""
        return tuple(line for block in self.blocks for line in block)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(f"{line}\n" for line in self.lines)

    def pieces(self, longest: int = LONGEST) -> list[Sync]:
        """The same in several transactions, for a plain user, whose socket's buffer (212,992 bytes) bounds each.

        A block is cut only where it is longer than ``longest`` characters itself; between the transactions every port
        is either as it was or as it will be.
        """
        pieces: list[list[tuple[str, ...]]] = []
        size = 0
        for block in self.blocks:
            for part in _parts(block, longest):
                length = sum(len(line) + 1 for line in part)
                if not pieces or size + length > longest:
                    pieces.append([])
                    size = 0
                pieces[-1].append(part)
                size += length
        return [Sync(tuple(blocks), ()) for blocks in pieces]

    def transactions(self, longest: int = LONGEST) -> list[str]:
        """The texts of `pieces`."""
        return [piece.text for piece in self.pieces(longest)]


def _parts(block: tuple[str, ...], longest: int) -> list[tuple[str, ...]]:
    whole = sum(len(line) + 1 for line in block)
    return [block] if whole <= longest else [(line,) for line in block]


def first_sync(table: Table, kernel: Listing | None = None) -> Sync:
    """The first transaction of a proxy's life, also over what an earlier life left.

    Base chains are made anew, since the kernel refuses to change their hooks and priorities.
    """
    made_anew: list[str] = []
    for each in BASE_CHAINS:
        chain = Chain(each.name)
        made_anew += (Statement("add", chain).line(table.family), Statement("delete", chain).line(table.family))
    return _sync(table, kernel or Listing(), None, made_anew)


def sync(table: Table, kernel: Listing) -> Sync:
    """A later full sync: everything is written, but elements that are there already are left alone."""
    return _sync(table, kernel, None, [])


def changes(before: Table, after: Table, also: Iterable[str] = ()) -> Sync:
    """What a change comes to, when the kernel holds ``before``: only what differs.

    ``also`` are stale chains of earlier syncs that are still there.
    """
    kernel = Listing.of(before)
    return _sync(after, replace(kernel, chains=kernel.chains.union(also)), before, [])


def delete_chains(family: int, chains: Iterable[str]) -> str:
    """The transaction that deletes stale chains."""
    return "".join(f"{Statement('delete', Chain(name)).line(family)}\n" for name in chains)


def _sync(table: Table, kernel: Listing, before: Table | None, made_anew: list[str]) -> Sync:
    family = table.family
    blocks: list[list[str]] = []
    if before is None or before.shared != table.shared:
        blocks.append([table_line(family), *made_anew, *(each.line(family) for each in table.shared.statements)])
    elements = _Elements(kernel, family)
    for name, part in table.ports.items():
        was = before.ports.get(name) if before else None
        changed = was is not part and was != part
        statements = part.statements if changed else (Statement("add", each) for each in part.elements)
        block: list[str] = []
        for statement in statements:
            needed = elements.ensure(statement.object) if isinstance(statement.object, Element) else (statement,)
            block += (each.line(family) for each in needed)
        blocks.append(block)
    stale = tuple(sorted(name for name in kernel.chains if is_of_a_port(name) and name not in table.chains))
    swept = [Statement("flush", Chain(name)) for name in stale]
    forgotten = (name for name in sorted(kernel.sets) if is_affinity(name) and name not in table.containers)
    swept += (Statement("delete", Container("set", name, "")) for name in forgotten)
    blocks.append([each.line(family) for each in (*swept, *elements.left_over())])
    return Sync(tuple(tuple(block) for block in blocks if block), stale)


class _Elements:
    """What the containers hold while the transaction is being written."""

    def __init__(self, kernel: Listing, family: int) -> None:
        names = [each.name for each in Containers.of(family)]
        names.remove(Containers.of(family).node_port_ips.name)
        self._held = {name: dict(kernel.elements.get(name, {})) for name in names}
        self._left = {name: dict.fromkeys(held) for name, held in self._held.items()}

    def ensure(self, element: Element) -> tuple[Statement, ...]:
        """Nothing for an element that is there; one with another value is replaced."""
        held = self._held[element.container]
        self._left[element.container].pop(element.key, None)
        value = held.get(element.key)
        if value == element.value:
            return ()
        held[element.key] = element.value
        added = Statement("add", element)
        return (added,) if value is None else (Statement("delete", element), added)

    def left_over(self) -> Iterator[Statement]:
        """Deletions of what nobody asked for."""
        for container, keys in self._left.items():
            for key in keys:
                yield Statement("delete", Element(container, key))
