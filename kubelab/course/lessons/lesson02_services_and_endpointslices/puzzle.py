"""The five Services of task 2.2, three of them broken: which, how, and under which names is the seed's to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kubelab.course import files
from kubelab.course.lessons.lesson02_services_and_endpointslices.apps import PACKAGE, Version
from kubelab.course.lessons.lesson02_services_and_endpointslices.two_versions import PORT_NAMES, TEAMS
from kubelab.course.seed import Seed
from kubelab.lab.api import Object

FIVE, BROKEN = 5, 3
LABEL, NAME, NUMBER, BROAD = "label", "name", "number", "broad"
FAULTS = (LABEL, NAME, NUMBER, BROAD)


class Wire(NamedTuple):
    """What a Service asks for: a label and a port."""

    label: str
    value: str
    target: int | str


@dataclass(frozen=True)
class Case:
    """One Service, the app that it stands for, and what is wrong between the two."""

    service: str
    port: int
    app: str
    fault: str
    """One of `FAULTS`, or nothing."""
    versions: tuple[Version, ...]
    right: Wire
    wire: Wire
    """As it is at the start."""

    def manifest(self, wire: Wire) -> Object:
        """The Service, wired this way."""
        (service,) = files.manifest(PACKAGE, "service", service=self.service, port=self.port, **wire._asdict())
        return service


def cases(seed: Seed) -> tuple[Case, ...]:
    """The five, in the order of their names."""
    apps, services = _distinct(seed, "2.2/app"), _distinct(seed, "2.2/service")
    left_out = seed.choice("2.2/left-out", FAULTS)
    faults = shuffled(seed, "2.2/order", [fault for fault in FAULTS if fault != left_out] + [""] * (FIVE - BROKEN))
    teams, named = shuffled(seed, "2.2/teams", TEAMS), shuffled(seed, "2.2/port-names", PORT_NAMES)
    # Two apps belong to one team and name their ports alike: a selector that is too broad finds both, and both answer.
    wide = faults.index(BROAD if BROAD in faults else LABEL)
    other = faults.index("")
    teams[other], named[other] = teams[wide], named[wide]
    found = [
        _case(seed, index, apps[index], services[index], faults[index], teams[index], named[index])
        for index in range(FIVE)
    ]
    return tuple(sorted(found, key=lambda case: case.service))


def shuffled(seed: Seed, purpose: str, values: tuple[str, ...] | list[str]) -> list[str]:
    """The values in an order of the seed's."""
    drawn = [(seed.number(f"{purpose}/{place}", 0, 2**32), value) for place, value in enumerate(values)]
    return [value for _, value in sorted(drawn)]


def misspelt(word: str) -> str:
    """The word with two letters in the wrong order, never the word itself."""
    for at in range(1, len(word) - 1):
        if word[at] != word[at + 1]:
            return f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"
    return word + word[-1]


def _case(seed: Seed, index: int, app: str, service: str, fault: str, team: str, named: str) -> Case:
    """What is right depends on the app: one in two versions can only be reached by the port's name."""
    own = f"2.2/{index}"
    number = seed.number(f"{own}/port", 8001 + 100 * index, 8090 + 100 * index)
    versions = (
        (Version(app, app, "1", team, 1, number, named), Version(f"{app}-2", app, "2", team, 1, number + 500, named))
        if fault == NAME
        else (Version(app, app, "1", team, 2, number, named),)
    )
    right = Wire("app", app, number if fault in (LABEL, NUMBER) else named)
    wrong = {
        LABEL: right._replace(value=misspelt(app)),
        NAME: right._replace(target=misspelt(named)),
        NUMBER: right._replace(target=number + seed.number(f"{own}/off-by", 1, 9)),
        BROAD: right._replace(label="team", value=team),
    }
    port = seed.number(f"{own}/service-port", 9001, 9999)
    return Case(service, port, app, fault, versions, right, wrong.get(fault, right))


def _distinct(seed: Seed, purpose: str) -> list[str]:
    """Five names, each only once."""
    names: dict[str, None] = {}
    number = 0
    while len(names) < FIVE:
        names.setdefault(seed.name(f"{purpose}/{number}"))
        number += 1
    return list(names)
