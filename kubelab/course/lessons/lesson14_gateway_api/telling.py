"""What objects say of themselves: an Ingress its address, everything of the Gateway API its conditions.

Addresses and times are left out, so that a table is the same on every cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from kubelab.course.tables import Table
from kubelab.lab.conditions import Condition
from kubelab.lab.lab import Lab

HEADS = ("of", "condition", "status", "reason", "of generation", "message")
TOLD_SECONDS = 10.0
"""How long a controller may take to say something of an object."""
GOOD_SECONDS = 4.0
"""How long it may take to say something good: a Gateway gets an address, a proxy takes in what is new."""
_GOOD_WHEN_FALSE = {"Conflicted", "PartiallyInvalid"}


def told(lab: Lab, *names: str) -> Table:
    """The conditions of these objects, of Gateways with their listeners, of routes by their parents.

    ``told(lab, "gateway/edge", "httproute/shop")``. Messages are shown where something is wrong. Raises `ApiError`.
    """
    rows = [row for name in names for row in _rows(lab, name)]
    return Table(HEADS, tuple(rows))


def wrong(lab: Lab, name: str) -> tuple[Condition, ...]:
    """The conditions of an object that are not as they should be; of those that mean the same the particular ones."""
    bad = [each for each in heard(lab, name) if not is_good(each)]
    particular = [each for each in bad if each.reason != "Invalid"]
    return tuple(particular or bad)


def is_good(condition: Condition) -> bool:
    """Whether a condition says that all is well, and of the object as it is."""
    wanted = "False" if condition.type in _GOOD_WHEN_FALSE else "True"
    return condition.status == wanted and not condition.outdated


def heard(lab: Lab, name: str) -> list[Condition]:
    """The conditions of an object, as soon as there are some and all are of the object as it is; else those there are.

    Raises `ApiError` (404).
    """
    deadline = time.monotonic() + TOLD_SECONDS
    while True:
        found = list(lab.conditions(name))
        if (found and not any(each.outdated for each in found)) or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def settled(*of: tuple[Lab, str]) -> list[Condition]:
    """The conditions of all these objects as soon as all are good, or those that there are after `GOOD_SECONDS`."""
    deadline = time.monotonic() + GOOD_SECONDS
    while True:
        found = [each for lab, name in of for each in heard(lab, name)]
        if all(map(is_good, found)) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def address(lab: Lab, ingress: str) -> str:
    """What an Ingress says of itself, which is whether it has an address; one that was just applied gets its moment."""
    deadline = time.monotonic() + GOOD_SECONDS
    while True:
        status = lab.get(ingress).get("status") or {}
        if (status.get("loadBalancer") or {}).get("ingress"):
            return "it has an address"
        if time.monotonic() > deadline:
            return "it has no address"
        time.sleep(0.05)


def _rows(lab: Lab, name: str) -> Iterator[tuple[str, ...]]:
    if name.startswith("ingress/"):
        yield (name.replace("/", " "), "none", "–", "–", "–", address(lab, name))
        return
    found = heard(lab, name)
    generation, last = lab.get(name)["metadata"]["generation"], ""
    for each in found:
        message = "" if is_good(each) else each.message
        of = _called(name, each.of)
        about = "an older one" if each.outdated else str(generation)
        yield (of if of != last else "", each.type, each.status, each.reason, about, message)
        last = of


def _called(name: str, part: str) -> str:
    """``httproute shop`` for what is said at its only parent; listeners by their own names."""
    return f"{name.replace('/', ' ')} at {part.removeprefix('parent ')}" if part.startswith("parent ") else part
