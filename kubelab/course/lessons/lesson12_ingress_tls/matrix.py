"""SNI × certificate, on the learner's own cluster: predicted, shaken hands for, compared."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, NamedTuple

from kubelab.course.catalogue import Question
from kubelab.course.predictions import predict
from kubelab.course.tables import Table
from kubelab.grading import Book
from kubelab.lab.handshakes import Handshake
from kubelab.lab.lab import Lab

FITS, MISFIT, DEFAULT, NOTHING = "fits", "does not fit", "default", "none"
OPTIONS = (FITS, MISFIT, DEFAULT, NOTHING)


class Row(NamedTuple):
    """One thing that a client may say first."""

    id: str
    said: str | None
    """The name in SNI; None for a client that says none."""
    words: str
    hurried: str
    """The guess of somebody in a hurry."""

    @property
    def question(self) -> Question:
        """To be predicted."""
        said = self.said or "no name"
        return Question(
            f"12.{self.id}", f"A client says {said}: {self.words}. Which certificate is it served?", options=OPTIONS
        )


ROWS = (
    Row("known", "books.example.test", "has a certificate of its own", FITS),
    Row("second", "reviews.example.test", "has a certificate of its own", MISFIT),
    Row("branch", "rome.branches.example.test", "there is one for *.branches.example.test", FITS),
    Row("deep", "a.rome.branches.example.test", "two labels in the place of the star", FITS),
    Row("bare", "branches.example.test", "none in the place of the star", FITS),
    Row("plain", "plain.example.test", "has a rule, but stands in no tls.hosts", NOTHING),
    Row("lost", "lost.example.test", "its Secret is nowhere", NOTHING),
    Row("elsewhere", "elsewhere.example.test", "its Secret is in another namespace", FITS),
    Row("nobody", "nobody.example.test", "stands in no Ingress", NOTHING),
    Row("silent", None, "the client sends no SNI", NOTHING),
)


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


def all_names() -> dict[str, Any]:
    """The rows for a `PredictionForm`, with the guesses of somebody who thinks that no certificate means no handshake,
    and that a star and a Secret are found wherever they are."""
    return {
        "rows": [(row.question.id, (row.said or "no name", row.words), OPTIONS) for row in ROWS],
        "heads": ("a client says", ""),
        "chosen": {row.question.id: row.hurried for row in ROWS},
    }


def measure(lab: Lab) -> Matrix:
    """Shake hands once for each row. Raises `PredictFirst` when one was not predicted, `LabError`."""
    with ExitStack() as predicted:
        for row in ROWS:
            predicted.enter_context(predict.first(row.question.id))
        return Matrix(("a client says", "you said", "the certificate"), tuple(_measured(lab, row) for row in ROWS))


def kind_of(handshake: Handshake) -> str:
    """One of `OPTIONS`: a Secret's that fits or does not, the ingress's own, or none at all.

    A client that says no name has none to compare, so only whose it is counts.
    """
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
