"""Predict first, then look.

Students who only watch a demonstration understand it no better than those who have not seen it; those who wrote down a
prediction before do (Crouch, Fagen, Callan, Mazur: Classroom demonstrations, Am. J. Phys. 72, 835, 2004).
So an experiment does not begin before there is a prediction, and its outcome is shown beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

from kubelab.course.catalogue import Question, question
from kubelab.grading import Book
from kubelab.lab.errors import LabError

_FRAME = "border-left: 4px solid {}; padding: 0.3em 0.8em; font-family: var(--jp-ui-font-family, sans-serif)"
_BLUE = "#0072B2"


class PredictFirst(LabError):
    """An experiment was begun without a prediction."""


@dataclass(frozen=True)
class Prediction:
    """What a learner expects."""

    question: Question
    value: int | str

    def __repr__(self) -> str:
        return f"Prediction({self.question.id}: {self.question.words(self.value)})"

    def _repr_html_(self) -> str:
        return (
            f"<div style='{_FRAME.format(_BLUE)}'>{escape(self.question.text)}<br>"
            f"You predict: <b>{escape(self.question.words(self.value))}</b>. It is written down; now try it.</div>"
        )


@dataclass(frozen=True)
class Comparison:
    """A prediction beside what happened."""

    question: Question
    predicted: int | str
    observed: int | str

    @property
    def agrees(self) -> bool:
        """Whether it came as predicted."""
        return self.predicted == self.observed

    def __repr__(self) -> str:
        words = self.question.words
        return f"Comparison({self.question.id}: predicted {words(self.predicted)}, observed {words(self.observed)})"

    def _repr_html_(self) -> str:
        verdict = "It came as you said." if self.agrees else "It came otherwise: what did you not know a minute ago?"
        cells = "".join(
            f"<tr><th style='text-align: left'>{head}</th>"
            f"<td style='text-align: left'>{escape(self.question.words(value))}</td></tr>"
            for head, value in (("you predicted", self.predicted), ("you observed", self.observed))
        )
        return (
            f"<div style='{_FRAME.format(_BLUE)}'>{escape(self.question.text)}"
            f"<table><tbody>{cells}</tbody></table>{verdict}</div>"
        )


class Predict:
    """``predict("1.delete", 2)`` writes a prediction down; every one is kept, the last one counts."""

    def __call__(self, question_id: str, value: int | str) -> Prediction:
        """Write down what you expect. Raises `LabError` for a value that cannot be."""
        asked = question(question_id)
        prediction = Prediction(asked, asked.read(value))
        Book().write("prediction", asked.id, prediction.value)
        return prediction

    @contextmanager
    def first(self, question_id: str) -> Iterator[None]:
        """``with predict.first("1.delete"):`` runs the block only when there is a prediction. Raises `PredictFirst`."""
        self._predicted(question(question_id))
        yield

    def compare(self, question_id: str, observed: int | str) -> Comparison:
        """Show what was observed beside what was predicted. Raises `PredictFirst`."""
        asked = question(question_id)
        predicted = self._predicted(asked)
        Book().write("observation", asked.id, observed)
        return Comparison(asked, predicted, observed)

    @staticmethod
    def _predicted(asked: Question) -> int | str:
        value: int | str | None = Book().last("prediction", asked.id)
        if value is None:
            raise PredictFirst(
                f'First say what you expect, then see: {asked.text} Write it down with predict("{asked.id}", …) '
                "and run this cell again. A wrong guess costs nothing."
            )
        return value


predict = Predict()
