"""What a look-up costs: worked out from resolv.conf, and counted at the name server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubelab.course import files
from kubelab.course.catalogue import Question
from kubelab.course.lessons.lesson07_the_price_of_ndots import stage
from kubelab.course.lessons.lesson07_the_price_of_ndots.stage import (
    CLOUD,
    PACKAGE,
    Questions,
    name_server,
    resolve,
    resolve_each,
)
from kubelab.course.predictions import Prediction, predict
from kubelab.course.tables import Table
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "web": "web",
    "svc-ns": "web.lesson-7",
    "svc-ns-svc": "web.lesson-7.svc",
    "full": "web.lesson-7.svc.cluster.local",
    "full-dot": "web.lesson-7.svc.cluster.local.",
    "outside": "api.example.test",
    "outside-dot": "api.example.test.",
    "five-dots": "a.b.c.d.example.test",
}
"""Row → the name that is looked up in the namespace lesson-7."""
NDOTS = (5, 2, 1)
OUTSIDE, INSIDE = "api.example.test", "web.lesson-7"
SAMPLES = 40
MOST = 20


def questions() -> tuple[Question, ...]:
    """One for each name."""
    return tuple(
        Question(f"7.{row}", f"One look-up of {name}: how many questions?", 1, MOST, unit="questions")
        for row, name in NAMES.items()
    )


@dataclass(frozen=True)
class Guesses:
    """What was written down."""

    predictions: tuple[Prediction, ...]

    def __repr__(self) -> str:
        return f"Guesses({len(self.predictions)} of {len(NAMES)} names are written down)"


@dataclass(frozen=True)
class Prices:
    """Eight names, predicted and counted."""

    predicted: Mapping[str, int]
    counted: Mapping[str, int]
    """Both: row → questions."""

    @property
    def sentence(self) -> str:
        """``3 of 8 came as you said``."""
        agreed = sum(self.predicted[row] == self.counted[row] for row in NAMES)
        return f"{agreed} of {len(NAMES)} came as you said"

    @property
    def table(self) -> Table:
        """A row a name."""
        rows = (
            (name, f"{'✔' if self.predicted[row] == self.counted[row] else '✖'} {self.predicted[row]}", str(counted))
            for (row, name), counted in zip(NAMES.items(), self.counted.values(), strict=True)
        )
        return Table(("one look-up of", "you said", "questions counted"), tuple(rows))

    def __repr__(self) -> str:
        return f"{self.sentence}\n{self.table!r}"

    def _repr_html_(self) -> str:
        return f"<div><b>{self.sentence}</b></div>{self.table._repr_html_()}"

    def plot(self) -> Figure:
        """Bars: predicted beside counted."""
        from kubelab.course.lessons.lesson07_the_price_of_ndots.price_views import draw_prices

        return draw_prices(self)


@dataclass(frozen=True)
class Delays:
    """How long look-ups took: what was looked up where → seconds."""

    seconds: Mapping[str, tuple[float, ...]]

    def __repr__(self) -> str:
        return f"Delays({len(self.seconds)} times {len(next(iter(self.seconds.values())))} look-ups)"

    def plot(self) -> Figure:
        """The share that was done by when (an empirical distribution function)."""
        from kubelab.course.lessons.lesson07_the_price_of_ndots.price_views import draw_delays

        return draw_delays(self)


def set_up(lab: Lab) -> None:
    """The name server that counts, a Service, and clients: one for each ndots, one with a cloud's ending."""
    server = name_server(lab)
    lab.apply(files.manifest(PACKAGE, "web", service="web"))
    for ndots in NDOTS:
        stage.client(lab, f"ndots-{ndots}", server, ndots=ndots)
    stage.client(lab, "cloud", server, endings=[CLOUD])
    for client in (*(f"ndots-{ndots}" for ndots in NDOTS), "cloud"):
        stage.settled(lab, client)


def guess(guesses: Mapping[str, int]) -> Guesses:
    """Write down how many questions, one guess a row. Raises `LabError` for one that cannot be."""
    unknown = next((row for row in guesses if row not in NAMES), None)
    if unknown is not None:
        raise LabError(f"{unknown!r} is no row; there are {', '.join(NAMES)}.")
    return Guesses(tuple(predict(f"7.{row}", value) for row, value in guesses.items()))


def count(lab: Lab) -> Prices:
    """Look all eight names up in the pod with ndots:5. Raises `PredictFirst` when one was not predicted."""
    with ExitStack() as predicted:
        for row in NAMES:
            predicted.enter_context(predict.first(f"7.{row}"))
        found = resolve_each(lab, "ndots-5", NAMES.values())
        counted = {row: found[name].questions.total for row, name in NAMES.items()}
    said = {row: int(predict.compare(f"7.{row}", counted[row]).predicted) for row in NAMES}
    return Prices(said, counted)


def asked(lab: Lab, client: str, name: str) -> Questions:
    """The questions that one look-up of a name makes a pod ask."""
    return resolve(lab, client, [name]).questions


def by_ndots(lab: Lab) -> Table:
    """The same names under each ndots, and how many questions they cost."""
    rows = [NAMES[row] for row in ("web", "svc-ns", "svc-ns-svc", "full", "outside")]
    columns = {ndots: resolve_each(lab, f"ndots-{ndots}", rows) for ndots in NDOTS}
    cells = ((name, *(_cell(columns[ndots][name]) for ndots in NDOTS)) for name in rows)
    return Table(("one look-up of", *(f"ndots:{ndots}" for ndots in NDOTS)), tuple(cells))


def delays(lab: Lab, samples: int = SAMPLES) -> Delays:
    """How long look-ups take: outside names with and without their dot, and a Service's name under two ndots."""
    chosen: Sequence[tuple[str, str]] = (
        ("cloud", OUTSIDE),
        ("ndots-5", OUTSIDE),
        ("ndots-5", f"{OUTSIDE}."),
        ("ndots-5", INSIDE),
        ("ndots-1", INSIDE),
    )
    endings = {"cloud": "ndots:5, one ending more", "ndots-5": "ndots:5", "ndots-1": "ndots:1"}
    return Delays(
        {
            f"{name}  ({endings[client]})": resolve(lab, client, [name], times=samples).seconds[name]
            for client, name in chosen
        }
    )


def _cell(found: stage.Resolved) -> str:
    return f"{found.questions.total}{'' if all(found.found.values()) else ', not found'}"
