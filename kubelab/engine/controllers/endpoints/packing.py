"""Which slices to write so that the endpoints get where they should with the fewest writes.

An endpoint stays in the slice that it is in. Room in a slice that has to be written anyway is filled first; of the
others at most one is touched for what is left over, and the rest goes into new slices. A slice that would be deleted
while another would be made is turned into that one, so names stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kubelab.engine.client import Object
from kubelab.engine.controllers.endpoints.slices import Group, new_slice, port_key, slice_labels
from kubelab.engine.controllers.owners import is_being_deleted, is_controlled_by

MOST_IN_A_SLICE = 100


@dataclass
class Writes:
    """What to create, update and delete."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def plan(
    service: Object,
    family: str,
    groups: Mapping[str, Group],
    existing: Iterable[Object],
    most: int = MOST_IN_A_SLICE,
) -> Writes:
    """The writes that bring the existing slices of one address family to the wanted groups.

    A Service without endpoints keeps one empty slice, so that there is something to look at.
    """
    writes = Writes()
    by_ports: dict[str, list[Object]] = {}
    for each in existing:
        if not is_controlled_by(each, service):
            writes.delete.append(each)
        elif not is_being_deleted(each):
            by_ports.setdefault(port_key(each.get("ports")), []).append(each)
    for key, group in groups.items():
        _plan_group(service, family, group, by_ports.pop(key, []), most, writes)
    writes.delete += [each for slices in by_ports.values() for each in slices]
    if not groups:
        _keep_one_empty(service, family, writes)
    _reuse(service, writes)
    return writes


def _plan_group(
    service: Object, family: str, group: Group, slices: Sequence[Object], most: int, writes: Writes
) -> None:
    ports, endpoints = group
    wanted = {_identity(each): each for each in endpoints}
    kept: list[tuple[Object, list[Object]]] = []
    for each in slices:
        here = [wanted.pop(_identity(known)) for known in each.get("endpoints") or () if _identity(known) in wanted]
        kept.append((each, here))
    missing = list(wanted.values())

    dirty = [(each, here) for each, here in kept if here and _differs(service, each, here)]
    clean = [(each, here) for each, here in kept if here and not _differs(service, each, here)]
    empty = [each for each, here in kept if not here]
    for _, here in sorted(dirty, key=lambda pair: len(pair[1]), reverse=True):
        room = max(0, most - len(here))
        here += missing[:room]
        missing = missing[room:]
    if rest := len(missing) % most:
        fitting = [pair for pair in clean if len(pair[1]) + rest <= most]
        if fitting:
            fullest = max(fitting, key=lambda pair: len(pair[1]))
            dirty.append((fullest[0], [*fullest[1], *missing[:rest]]))
            missing = missing[rest:]
    writes.update += [_rewritten(service, each, ports, here) for each, here in dirty]
    writes.create += [
        new_slice(service, family, ports, missing[start : start + most]) for start in range(0, len(missing), most)
    ]
    writes.delete += empty


def _identity(endpoint: Object) -> tuple[str, str]:
    """An endpoint is the same as long as it is the same pod at the same address."""
    return endpoint["addresses"][0], (endpoint.get("targetRef") or {}).get("uid", "")


def _differs(service: Object, known: Object, endpoints: list[Object]) -> bool:
    return known.get("endpoints") != endpoints or (known["metadata"].get("labels") or {}) != slice_labels(service)


def _rewritten(service: Object, known: Object, ports: list[Object], endpoints: list[Object]) -> Object:
    metadata = {**known["metadata"], "labels": slice_labels(service)}
    return {**known, "metadata": metadata, "ports": ports, "endpoints": endpoints}


def _keep_one_empty(service: Object, family: str, writes: Writes) -> None:
    for index, each in enumerate(writes.delete):
        bare = not each.get("endpoints") and not each.get("ports")
        if bare and is_controlled_by(each, service) and not _differs(service, {**each, "endpoints": []}, []):
            del writes.delete[index]
            return
    writes.create.append(new_slice(service, family, [], []))


def _reuse(service: Object, writes: Writes) -> None:
    reusable = [each for each in writes.delete if is_controlled_by(each, service)]
    while writes.create and reusable:
        wish, each = writes.create.pop(), reusable.pop()
        writes.delete.remove(each)
        writes.update.append(_rewritten(service, each, wish["ports"], wish["endpoints"]))
