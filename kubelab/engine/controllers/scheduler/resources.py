"""How much a pod asks for and how much a node has left.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from kubelab.engine.client import Object

Amounts = dict[str, Decimal]
"""By resource name: cpu in cores, memory in bytes."""

_FACTORS = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15),
    "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


def quantity(value: str | int | float) -> Decimal:
    """Read ``250m``, ``1.5``, ``64Mi`` or ``1e3``."""
    text = str(value)
    number = text.rstrip("numkKMGTPEi")
    return Decimal(number) * _FACTORS[text[len(number) :]]


def requested(pod: Object) -> Amounts:
    """What the pod asks for: its containers together, or its largest step of initialisation if that is more.

    Init containers that keep running count with the containers, and with every later step (KEP-753).
    """
    spec = pod["spec"]
    running: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or ():
        asked = _requests(container)
        peak = _larger(peak, _sum(running, asked))
        if container.get("restartPolicy") == "Always":
            running = _sum(running, asked)
    for container in spec["containers"]:
        running = _sum(running, _requests(container))
    return _sum(_larger(running, peak), _amounts(spec.get("overhead")))


def lacking(pod: Object, node: Object, on_node: Iterable[Object]) -> list[str]:
    """The resources of which the node has too little left for the pod, sorted; ``pods`` for a node that is full."""
    room = _amounts((node.get("status") or {}).get("allocatable"))
    neighbours = list(on_node)
    short = ["pods"] if "pods" in room and len(neighbours) + 1 > room["pods"] else []
    asked = {name: amount for name, amount in requested(pod).items() if amount > 0}
    used: Amounts = {}
    for each in neighbours if asked else ():
        used = _sum(used, requested(each))
    return sorted(
        short + [name for name in asked if asked[name] + used.get(name, Decimal(0)) > room.get(name, Decimal(0))]
    )


def _requests(container: Object) -> Amounts:
    return _amounts((container.get("resources") or {}).get("requests"))


def _amounts(quantities: Mapping[str, str] | None) -> Amounts:
    return {name: quantity(each) for name, each in (quantities or {}).items()}


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {*one, *other}}


def _larger(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {*one, *other}}
