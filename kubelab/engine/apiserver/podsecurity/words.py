"""How a violation reads: who does it, and what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

Spec = dict[str, Any]


class Violation(NamedTuple):
    """``reason (detail)``, as messages show it."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})"


def containers(spec: Spec) -> Iterator[Spec]:
    """All containers of a pod."""
    for member in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(member) or ()


def context(holder: Spec) -> Spec:
    """The securityContext of a pod's spec or of a container."""
    return holder.get("securityContext") or {}


def who(spec: Spec, is_bad: Callable[[Spec], object]) -> list[str]:
    """Names of the containers that are bad."""
    return [container["name"] for container in containers(spec) if is_bad(container)]


def quoted(names: Iterable[str]) -> str:
    """``"a", "b"``"""
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in names)


def plural(one: str, several: Sequence[Any]) -> str:
    """The word, with an s when there are several."""
    return one if len(several) == 1 else f"{one}s"


def named(one: str, names: Sequence[str]) -> str:
    """``container "a"`` or ``containers "a", "b"``."""
    return f"{plural(one, names)} {quoted(names)}"


def setters(spec: Spec, is_bad: Callable[[Spec], object]) -> str:
    """``pod and container "a"``: the pod's own securityContext and its containers'; empty when none is bad."""
    bad = who(spec, lambda container: is_bad(context(container)))
    parts = ["pod"] if is_bad(context(spec)) else []
    return " and ".join([*parts, named("container", bad)] if bad else parts)
