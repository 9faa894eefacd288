"""SNI × certificate, on the learner's own cluster: predicted, shaken hands for, compared."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from kubelab.course.catalogue import Question
from kubelab.course.predictions import Prediction, predict
from kubelab.course.tables import Table
from kubelab.grading import Book
from kubelab.lab.errors import LabError
from kubelab.lab.handshakes import Handshake
from kubelab.lab.lab import Lab

FITS = "a Secret's, and it fits"
MISFIT = "a Secret's, but it does not fit"
DEFAULT = "the default"
NOTHING = "none"
OPTIONS = (FITS, MISFIT, DEFAULT, NOTHING)


class Row(NamedTuple):
    """One thing that a client may say first."""

    id: str
    said: str | None
    """The name in SNI; None for a client that says none."""
    words: str

    @property
    def question(self) -> Question:
        """To be predicted."""
        said = self.said or "no name"
        return Question(
            f"12.{self.id}", f"A client says {said} ({self.words}): which certificate is it served?", options=OPTIONS
        )


ROWS = (
    Row("known", "books.example.test", "it has a certificate of its own"),
    Row("second", "reviews.example.test", "so has it"),
    Row("branch", "rome.branches.example.test", "there is a certificate for *.branches.example.test"),
    Row("deep", "a.rome.branches.example.test", "two labels before that"),
    Row("bare", "branches.example.test", "no label before that"),
    Row("plain", "plain.example.test", "it has a rule, but stands in no tls.hosts"),
    Row("lost", "lost.example.test", "its Secret is nowhere"),
    Row("elsewhere", "elsewhere.example.test", "its Secret is in another namespace"),
    Row("nobody", "nobody.example.test", "no Ingress knows it"),
    Row("silent", None, "a client that sends no SNI"),
)


@dataclass(frozen=True)
class Guesses:
    """What was written down."""

    predictions: tuple[Prediction, ...]

    def __repr__(self) -> str:
        return f"Guesses({len(self.predictions)} of {len(ROWS)} rows are written down)"


class Matrix(Table):
    """The rows, each with what was predicted and what came."""

    @property
    def sentence(self) -> str:
        """``7 of 10 came as you said``."""
        return f"{sum(row[1] == row[2] for row in self.rows)} of {len(self.rows)} came as you said"

    def __repr__(self) -> str:
        return f"{self.sentence}\n{super().__repr__()}"

    def _repr_html_(self) -> str:
        return f"<div><b>{self.sentence}</b></div>{super()._repr_html_()}"


def guess(guesses: Mapping[str | None, str]) -> Guesses:
    """Write down which certificate a client is served, by the name that it says. Raises `LabError`."""
    rows = {row.said: row for row in ROWS}
    unknown = next((said for said in guesses if said not in rows), "")
    if unknown:
        raise LabError(f"{unknown!r} is no row of the matrix; there are {', '.join(map(str, rows))}.")
    return Guesses(tuple(predict(rows[said].question.id, value) for said, value in guesses.items()))


def measure(lab: Lab) -> Matrix:
    """Shake hands once for each row. Raises `PredictFirst` when one was not predicted, `LabError`."""
    with ExitStack() as predicted:
        for row in ROWS:
            predicted.enter_context(predict.first(row.question.id))
        return Matrix(("a client says", "you said", "it is served"), tuple(_measured(lab, row) for row in ROWS))


def kind_of(handshake: Handshake) -> str:
    """One of `OPTIONS`. A client that says no name has none to compare, so only whose it is counts."""
    if not handshake.served:
        return NOTHING
    if handshake.owner.default:
        return DEFAULT
    return FITS if handshake.verified else MISFIT


def _measured(lab: Lab, row: Row) -> tuple[str, str, str]:
    shaken = lab.tls(row.said) if row.said else lab.tls(str(ROWS[0].said), sni=None)
    seen = kind_of(shaken)
    Book().write("observation", row.question.id, seen)
    return row.said or "no name", str(Book().last("prediction", row.question.id)), seen
