"""Sets and maps of nftables: what is in them, and whether a value is."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from kubelab.rules.addresses import inside, number
from kubelab.rules.nft.syntax import read_elements

MISSING = object()
"""What `NftSet.get` says when the value is not in the set."""


class NftSet:
    """A set (values) or a map (values to verdicts or data), read when it is first asked."""

    def __init__(self, name: str, *, text: str = "", elements: list[Any] | None = None) -> None:
        self.name = name
        self._text = text
        self._given = elements

    @cached_property
    def _read(self) -> tuple[dict[Any, Any], list[tuple[Any, Any]]]:
        exact: dict[Any, Any] = {}
        wide: list[tuple[Any, Any]] = []
        for element in read_elements(self._text) if self._given is None else self._given:
            key, data = element if isinstance(element, list) else (element, None)
            frozen = freeze(key)
            if is_wide(key):
                wide.append((key, data))
            else:
                exact[frozen] = data
        return exact, wide

    def get(self, value: Any) -> Any:
        """What the value maps to (None in a plain set), or `MISSING`."""
        exact, wide = self._read
        if value in exact:
            return exact[value]
        return next((data for key, data in wide if fits(value, key)), MISSING)


def plain(value: Any) -> Any:
    """An element without its comment and timer."""
    return value["elem"]["val"] if isinstance(value, dict) and "elem" in value else value


def freeze(value: Any) -> Any:
    """A value that can be a key: a concatenation becomes a tuple."""
    value = plain(value)
    if isinstance(value, dict) and "concat" in value:
        return tuple(freeze(each) for each in value["concat"])
    return value if not isinstance(value, dict) else repr(value)


def is_wide(value: Any) -> bool:
    """Whether a key stands for more than one value."""
    value = plain(value)
    if isinstance(value, dict):
        return any(is_wide(each) for each in value["concat"]) if "concat" in value else True
    return isinstance(value, str) and value.endswith("*")


def fits(value: Any, pattern: Any) -> bool:
    """Whether a value is the pattern, or lies in the network, range or set that it is."""
    pattern = plain(pattern)
    if isinstance(pattern, list):
        return any(fits(value, each) for each in pattern)
    if not isinstance(pattern, dict):
        if isinstance(pattern, str) and pattern.endswith("*") and isinstance(value, str):
            return value.startswith(pattern[:-1])
        return bool(value == pattern)
    if "concat" in pattern:
        parts = pattern["concat"]
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(fits, value, parts))
    if "set" in pattern:
        return any(fits(value, each[0] if isinstance(each, list) else each) for each in pattern["set"])
    if "prefix" in pattern:
        said = pattern["prefix"]
        return isinstance(value, str) and inside(value, f"{said['addr']}/{said['len']}")
    if "range" in pattern:
        low, high = (_rank(end) for end in pattern["range"])
        return low <= _rank(value) <= high
    raise ValueError(f"{next(iter(pattern))!r} is no kind of value that is known")


def _rank(value: Any) -> int:
    return value if isinstance(value, int) else number(value)
