"""Which chains and sets a rule or an element names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelab.rules.nft.model import Element, Rule, Table

DEEPEST_JUMP = 16
"""How many chains deep the kernel follows jumps (NFT_JUMP_STACK_SIZE)."""


def chains_named(what: Rule | Element) -> set[str]:
    """The chains that it jumps or goes to."""
    said = what.expressions if isinstance(what, Rule) else what.data
    return {each["target"] for each in _values(said, ("jump", "goto"))}


def sets_named(rule: Rule) -> set[str]:
    """The sets and maps that it asks or fills."""
    words = (each for each in _texts(rule.expressions) if each.startswith("@"))
    return {each[1:] for each in words}


def wanted_chains(table: Table) -> set[str]:
    """The chains that a rule or an element leads to, which therefore cannot be deleted."""
    wanted = {name for chain in table.chains.values() for rule in chain.rules for name in chains_named(rule)}
    for container in table.containers.values():
        if container.data == ("verdict",):
            wanted.update(name for each in container.alive() for name in chains_named(each))
    return wanted


def too_deep(table: Table) -> bool:
    """Whether jumps lead from a chain back to it, or through more chains than the kernel follows."""
    by_map = {
        name: {target for each in container.alive() for target in chains_named(each)}
        for name, container in table.containers.items()
        if container.data == ("verdict",)
    }
    depths: dict[str, int] = {}

    def depth(name: str, above: int) -> int:
        if above > DEEPEST_JUMP:
            return above
        if name not in depths:
            targets: set[str] = set()
            for rule in table.chains[name].rules:
                targets |= chains_named(rule)
                for each in sets_named(rule) & by_map.keys():
                    targets |= by_map[each]
            depths[name] = 1 + max((depth(each, above + 1) for each in targets), default=0)
        return depths[name]

    return any(depth(name, 1) > DEEPEST_JUMP for name in table.chains)


def _values(said: Any, keys: tuple[str, ...]) -> Iterator[Any]:
    """What stands under the keys, at any depth."""
    if isinstance(said, dict):
        for key, value in said.items():
            if key in keys:
                yield value
            elif isinstance(value, dict | list):
                yield from _values(value, keys)
    elif isinstance(said, list):
        for each in said:
            if isinstance(each, dict | list):
                yield from _values(each, keys)


def _texts(said: Any) -> Iterator[str]:
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for value in said.values():
            yield from _texts(value)
    elif isinstance(said, list):
        for each in said:
            yield from _texts(each)
