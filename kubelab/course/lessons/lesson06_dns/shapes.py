"""The shapes of records, looked up on the learner's own cluster beside what was predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubelab.course import files
from kubelab.course.lessons.lesson06_dns.rows import BY_ID, ROWS, Row, cluster_ips, reverse, seen
from kubelab.course.predictions import Prediction, predict
from kubelab.course.tables import Table
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.lookup import Lookup
from kubelab.lab.waiting import Seen, until

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PACKAGE = "lesson06_dns"
PODS = ("alpha", "beta", "gamma")
SERVICES = {
    "web": "ClusterIP",
    "crowd": "headless",
    "empty": "ClusterIP, no pods",
    "nobody": "headless, no pods",
    "alias": "ExternalName",
}
START_SECONDS = 180
SETTLE_SECONDS = 15


@dataclass(frozen=True)
class Guesses:
    """What was written down."""

    predictions: tuple[Prediction, ...]

    def __repr__(self) -> str:
        return f"Guesses({len(self.predictions)} of {len(ROWS)} rows are written down)"


@dataclass(frozen=True)
class Answered:
    """One row, and what came of it."""

    row: Row
    predicted: str
    found: Lookup
    seen: str

    @property
    def agrees(self) -> bool:
        """Whether it came as predicted."""
        return self.predicted == self.seen

    @property
    def cells(self) -> tuple[str, ...]:
        """In words."""
        said = f"{'✔' if self.agrees else '✖'} {self.predicted}"
        return self.row.shown, self.row.words, said, self.seen, self.found.code, str(len(self.found.records))


@dataclass(frozen=True)
class Answers:
    """The rows, in their order."""

    rows: tuple[Answered, ...]

    @property
    def sentence(self) -> str:
        """``8 of 12 came as you said``."""
        return f"{sum(each.agrees for each in self.rows)} of {len(self.rows)} came as you said"

    @property
    def ttls(self) -> dict[int, int]:
        """For how long answers may be kept (seconds) → how many records say so."""
        return dict(sorted(Counter(record.ttl for each in self.rows for record in each.found.records).items()))

    @property
    def table(self) -> Table:
        """The rows in words."""
        head = ("asked for", "what it is", "you said", "the answer", "code", "records")
        return Table(head, tuple(each.cells for each in self.rows))

    def __repr__(self) -> str:
        return f"{self.sentence}\n{self.table!r}"

    def _repr_html_(self) -> str:
        return f"<div><b>{self.sentence}</b></div>{self.table._repr_html_()}"


@dataclass(frozen=True)
class Shapes:
    """Every question to every Service: Service → question → what was seen; None: there is nothing to ask for."""

    cells: Mapping[str, Mapping[str, str | None]]

    def __repr__(self) -> str:
        questions = next(iter(self.cells.values()))
        rows = ((name, *(seen or "–" for seen in row.values())) for name, row in self.cells.items())
        return repr(Table(("Service", *questions), tuple(rows)))

    def plot(self) -> Figure:
        """The matrix as a picture."""
        from kubelab.course.lessons.lesson06_dns.shape_views import draw

        return draw(self)


def set_up(lab: Lab) -> None:
    """Three pods with hostnames and five Services; done when the name server knows of all."""
    lab.apply(files.manifest(PACKAGE, "server"))
    for name in PODS:
        lab.apply(files.manifest(PACKAGE, "pod", pod=name))
    lab.apply(files.manifest(PACKAGE, "services", namespace=lab.namespace))
    lab.wait("app=web", "ready", timeout=START_SECONDS)
    settled(lab, "crowd")


def settled(lab: Lab, service: str) -> Lookup:
    """Look a headless Service up until the name server has heard of its slices' last change. Raises `LabError`."""
    last: list[Lookup] = []

    def look() -> Seen:
        ready = {endpoint.address for endpoint in lab.endpoints(service).all if endpoint.ready}
        last.append(lab.lookup(_full(lab, service)))
        return Seen(set(last[-1].addresses) == ready, f"{len(last[-1].addresses)} of {len(ready)} addresses")

    until(look, f"The name server does not know the ready pods of {service}", SETTLE_SECONDS)
    return last[-1]


def guess(guesses: Mapping[str, str]) -> Guesses:
    """Write down the answers, one guess a row. Raises `LabError` for one that cannot be."""
    unknown = next((row for row in guesses if row not in BY_ID), None)
    if unknown is not None:
        raise LabError(f"{unknown!r} is no row; there are {', '.join(BY_ID)}.")
    return Guesses(tuple(predict(f"6.{row}", value) for row, value in guesses.items()))


def look_up(lab: Lab) -> Answers:
    """Ask all twelve questions. Raises `PredictFirst` when one was not predicted."""
    with ExitStack() as predicted:
        for row in ROWS:
            predicted.enter_context(predict.first(f"6.{row.id}"))
        ips, pods = cluster_ips(lab.find("services")), lab.pods().ips
        answers = []
        for row in ROWS:
            name = f"{row.asked}.{lab.namespace}.{row.suffix}." if row.suffix else reverse(ips[row.asked])
            found = lab.lookup(name, row.type)
            said = seen(found, frozenset(ips.values()), frozenset(pods))
            answers.append(Answered(row, str(predict.compare(f"6.{row.id}", said).predicted), found, said))
        return Answers(tuple(answers))


def shapes(lab: Lab) -> Shapes:
    """Ask every question of every Service."""
    ips = cluster_ips(lab.find("services"))
    pods = {pod.alias: pod.ip for pod in lab.pods()}
    turned = {**ips, "crowd": pods["alpha"]}

    def ask(name: str, type_: str) -> str:
        return seen(lab.lookup(name, type_), frozenset(ips.values()), frozenset(pods.values()))

    return Shapes(
        {
            service: {
                "NAME A": ask(_full(lab, service), "A"),
                "NAME AAAA": ask(_full(lab, service), "AAAA"),
                "_http._tcp.NAME SRV": ask(_full(lab, f"_http._tcp.{service}"), "SRV"),
                "alpha.NAME A": ask(_full(lab, f"alpha.{service}"), "A"),
                "its address PTR": ask(reverse(turned[service]), "PTR") if service in turned else None,
            }
            for service in SERVICES
        }
    )


def _full(lab: Lab, name: str) -> str:
    return f"{name}.{lab.namespace}.svc.cluster.local."
