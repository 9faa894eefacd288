"""Amounts by name, as resource lists have them: ``{"pods": "1", "requests.cpu": "250m"}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelab.engine.quantity import added, value

Amounts = dict[str, str]


def plus(one: Mapping[str, str], other: Mapping[str, str]) -> Amounts:
    """Name by name; what only one of them has is kept."""
    both = {name: added(one[name], amount) if name in one else amount for name, amount in other.items()}
    return {**one, **both}


def larger(one: Mapping[str, str], other: Mapping[str, str]) -> Amounts:
    """Name by name the larger of the two."""
    return {**one, **{name: each for name, each in other.items() if name not in one or value(each) > value(one[name])}}


def growth(new: Mapping[str, str], old: Mapping[str, str]) -> Amounts:
    """By how much the new exceed the old; what did not grow is left out."""
    grown = {name: value(amount) - value(old.get(name, "0")) for name, amount in new.items()}
    return {name: added(new[name], f"-{old[name]}") if name in old else new[name] for name in grown if grown[name] > 0}


def only(amounts: Mapping[str, str], names: Iterable[str]) -> Amounts:
    """Those of these names."""
    wanted = set(names)
    return {name: amount for name, amount in amounts.items() if name in wanted}


def equal(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether they say the same, however it is spelled."""
    return one.keys() == other.keys() and all(value(one[name]) == value(other[name]) for name in one)


def written(amounts: Mapping[str, str]) -> str:
    """``pods=1,requests.cpu=250m``."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))
