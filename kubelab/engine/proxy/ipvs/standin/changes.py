"""Transactions that bring the stand-in's table from what it holds to what it should, for ``nft -f -``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubelab.engine.proxy.ipvs.standin.table import TABLE, Table
from kubelab.engine.proxy.nftables.names import is_of_a_port
from kubelab.engine.proxy.nftables.objects import WORDS, Chain, Container, Element, Object, Rule, Verb
from kubelab.engine.proxy.nftables.sync import Sync

COMMENT = "what kube-proxy's IPVS mode would do: this kernel has no IPVS"


def table_name(family: int) -> str:
    """``ip kubelab-ipvs``."""
    return f"{WORDS[family].ip} {TABLE}"


def whole(after: Table) -> Sync:
    """The table made anew, whatever is there."""
    name = table_name(after.family)
    made = (f"add table {name}", f"delete table {name}", f'add table {name} {{ comment "{COMMENT}" ; }}')
    return _sync(Table(after.family), after, made)


def changes(before: Table, after: Table, also: Iterable[str] = ()) -> Sync:
    """What differs: counters, turns and remembered clients stay where they are.

    ``also`` are stale chains of earlier transactions that are still there.
    """
    return _sync(before, after, (), frozenset(also))


def delete_chains(family: int, chains: Iterable[str]) -> str:
    """The transaction that deletes stale chains."""
    return "".join(f"delete chain {table_name(family)} {name}\n" for name in chains)


def delete_table(family: int) -> str:
    """The transaction that deletes everything, where there is something."""
    return f"add table {table_name(family)}\ndelete table {table_name(family)}\n"


def _sync(before: Table, after: Table, made: tuple[str, ...], also: frozenset[str] = frozenset()) -> Sync:
    stale = tuple(sorted((before.chains.keys() | also) - after.chains.keys()))
    blocks = [(*made, *_new_objects(before, after)), *_rules(before, after), tuple(_elements(before, after))]
    blocks.append(tuple(_swept(before, after, stale)))
    return Sync(tuple(block for block in blocks if block), stale)


def _line(verb: Verb, what: Object, family: int) -> str:
    return f"{verb} {what.text(verb, table_name(family))}"


def _new_objects(before: Table, after: Table) -> Iterator[str]:
    """Sets and the chains of no server, still empty; these chains lead to each other in any order then."""
    for name, container in after.containers.items():
        if name not in before.containers:
            yield _line("add", container, after.family)
    for name in after.chains:
        if name not in before.chains and not is_of_a_port(name):
            yield _line("add", after.hooks.get(name) or Chain(name), after.family)


def _rules(before: Table, after: Table) -> Iterator[tuple[str, ...]]:
    """Chain by chain; those of servers are made here, so that ``nft`` begins with a table that is still small."""
    for name, rules in after.chains.items():
        held = before.chains.get(name)
        if held == rules:
            continue
        lines = [_line("add", Rule(name, rule), after.family) for rule in rules]
        if held is None and is_of_a_port(name):
            lines.insert(0, _line("add", Chain(name), after.family))
        elif held is not None:
            lines.insert(0, _line("flush", Chain(name), after.family))
        yield tuple(lines)


def _elements(before: Table, after: Table) -> Iterator[str]:
    """An element with another value is replaced. What the kernel itself puts into a set of clients is left alone."""
    for name, wanted in after.elements.items():
        held = before.elements.get(name, {})
        for key, value in held.items():
            if wanted.get(key) != value:
                yield _line("delete", Element(name, key), after.family)
        for key, value in wanted.items():
            if held.get(key) != value:
                yield _line("add", Element(name, key, value), after.family)


def _swept(before: Table, after: Table, stale: Iterable[str]) -> Iterator[str]:
    for name in stale:
        yield _line("flush", Chain(name), after.family)
    for name, container in before.containers.items():
        if name not in after.containers:
            yield _line("delete", Container(container.kind, name, ""), after.family)
