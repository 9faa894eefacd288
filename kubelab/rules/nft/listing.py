"""Tables as ``nft list`` 1.0.6 prints them, in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from kubelab.rules.nft.definitions import PRIORITIES
from kubelab.rules.nft.durations import print_duration
from kubelab.rules.nft.literals import rank
from kubelab.rules.nft.model import DYNAMIC_SIZE, Chain, Container, Element, Hook, Table
from kubelab.rules.nft.printing import print_element, print_rule

VERSION = {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}

_ONLY_AT = {"dstnat": "PREROUTING", "srcnat": "POSTROUTING"}
_ON_A_LINE: dict[tuple[str, ...], int] = {
    ("inet_service",): 5,
    ("inet_proto",): 5,
    ("ipv4_addr",): 2,
    ("ipv6_addr",): 2,
}
_NEAR = 10
"""How far from a named priority one is still shown as a distance from it."""


class Part(NamedTuple):
    """What is listed of a table."""

    table: Table
    chains: Sequence[Chain]
    containers: Sequence[Container]
    whole: bool = False
    """The table itself with all that it has."""


def whole(table: Table) -> Part:
    """All of a table."""
    return Part(table, list(table.chains.values()), list(table.containers.values()), True)


def words(part: Part, *, handles: bool = False, between: str = "\n\n") -> str:
    """As ``nft list`` prints it. ``between``: what stands between two chains or sets."""
    table = part.table
    blocks = [_container(each, handles) for each in part.containers] + [_chain(each, handles) for each in part.chains]
    text = between.join(blocks) + ("\n" if blocks else "")
    comment = f'\tcomment "{table.comment}"\n' if part.whole and table.comment else ""
    note = f" # handle {table.handle}" if handles else ""
    return f"table {table.label} {{{note}\n{comment}{text}}}\n"


def as_json(parts: Iterable[Part]) -> str:
    """As ``nft -j list`` prints it, on one line."""
    found: list[Any] = [{"metainfo": VERSION}]
    for part in parts:
        found += _objects(part)
    return json.dumps({"nftables": found}) + "\n"


def _container(container: Container, handles: bool) -> str:
    kind = "map" if container.is_map else "set"
    data = f" : {' . '.join(container.data)}" if container.is_map else ""
    lines = [f"type {' . '.join(container.type)}{data}"]
    if size := _size(container):
        lines.append(f"size {size}")
    if container.flags and (container.flags != ("timeout",) or not container.timeout):
        lines.append(f"flags {','.join(container.flags)}")
    if container.timeout:
        lines.append(f"timeout {print_duration(container.timeout)}")
    if container.comment:
        lines.append(f'comment "{container.comment}"')
    elements = [print_element(each) for each in _elements(container)]
    if elements:
        lines.append(f"elements = {{ {_wrapped(elements, container)} }}")
    body = "".join(f"\t\t{line}\n" for line in lines)
    note = f" # handle {container.handle}" if handles else ""
    return f"\t{kind} {container.name} {{{note}\n{body}\t}}"


def _size(container: Container) -> int:
    return container.size or (DYNAMIC_SIZE if "dynamic" in container.flags else 0)


def _wrapped(elements: list[str], container: Container) -> str:
    """How many come on a line depends on their type."""
    step = _ON_A_LINE.get(container.type, 1)
    lines = [", ".join(elements[at : at + step]) for at in range(0, len(elements), step)]
    return ",\n\t\t\t     ".join(lines)


def _elements(container: Container) -> list[Any]:
    """In the shape of ``nft -j``, sorted as they are listed."""
    found = sorted(container.alive(), key=lambda element: rank(element.key))
    return [_element(each, container) for each in found]


def _element(element: Element, container: Container) -> Any:
    said: dict[str, Any] = {"val": element.key}
    if element.timeout and element.timeout != container.timeout:
        said["timeout"] = element.timeout
    if element.until:
        said["expires"] = max(0.001, element.until - container.now())
    if element.comment:
        said["comment"] = element.comment
    key = {"elem": said} if len(said) > 1 else element.key
    return [key, element.data] if container.is_map else key


def _chain(chain: Chain, handles: bool) -> str:
    lines = [f'comment "{chain.comment}"'] if chain.comment else []
    if chain.hook is not None:
        hook = chain.hook
        lines.append(f"type {hook.kind} hook {hook.hook.lower()} priority {_priority(hook)}; policy {hook.policy};")
    for rule in chain.rules:
        note = f" # handle {rule.handle}" if handles else ""
        lines.append(print_rule(rule.expressions, rule.comment) + note)
    note = f" # handle {chain.handle}" if handles else ""
    return "".join([f"\tchain {chain.name} {{{note}\n", *(f"\t\t{line}\n" for line in lines), "\t}"])


def _priority(hook: Hook) -> str:
    for name, value in PRIORITIES.items():
        distance = hook.priority - value
        if abs(distance) <= _NEAR and _ONLY_AT.get(name, hook.hook) == hook.hook:
            sign = "+" if distance > 0 else "-"
            return f"{name} {sign} {abs(distance)}" if distance else name
    return str(hook.priority)


def _objects(part: Part) -> Iterator[dict[str, Any]]:
    family, name = part.table.family, part.table.name
    if part.whole:
        yield {"table": {"family": family, "name": name, "handle": part.table.handle}}
    for container in part.containers:
        yield {"map" if container.is_map else "set": _container_object(part.table, container)}
    for chain in part.chains:
        said: dict[str, Any] = {"family": family, "table": name, "name": chain.name, "handle": chain.handle}
        if chain.hook is not None:
            hook = chain.hook
            said |= {"type": hook.kind, "hook": hook.hook.lower(), "prio": hook.priority, "policy": hook.policy}
        yield {"chain": said}
    for chain in part.chains:
        for rule in chain.rules:
            comment = {"comment": rule.comment} if rule.comment else {}
            where = {"family": family, "table": name, "chain": chain.name, "handle": rule.handle}
            yield {"rule": {**where, **comment, "expr": rule.expressions}}


def _container_object(table: Table, container: Container) -> dict[str, Any]:
    kinds = list(container.type) if len(container.type) > 1 else container.type[0]
    said: dict[str, Any] = {
        "family": table.family, "name": container.name, "table": table.name, "type": kinds, "handle": container.handle,
    }  # fmt: skip
    if container.comment:
        said["comment"] = container.comment
    if container.is_map:
        said["map"] = container.data[0] if len(container.data) == 1 else list(container.data)
    if size := _size(container):
        said["size"] = size
    flags = [flag for flag in container.flags if flag != "dynamic"]  # nft 1.0.6 does not tell
    if flags:
        said["flags"] = flags
    if container.timeout:
        said["timeout"] = int(container.timeout)
    if elements := _elements(container):
        said["elem"] = [_whole_seconds(each) for each in elements]
    return said


def _whole_seconds(element: Any) -> Any:
    key = element[0] if isinstance(element, list) else element
    if isinstance(key, dict) and "elem" in key:
        said = {name: int(value) if isinstance(value, float) else value for name, value in key["elem"].items()}
        key = {"elem": said}
    return [key, element[1]] if isinstance(element, list) else key
