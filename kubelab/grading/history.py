"""What a learner's book tells about one task and about one prediction: pure functions of its entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kubelab.grading.book import Note
from kubelab.grading.results import Outcome


class Standing(StrEnum):
    """How far a learner is with a task. What was solved once stays solved."""

    SOLVED = "solved"
    ATTEMPTED = "attempted"
    OPEN = "open"


@dataclass(frozen=True)
class TaskHistory:
    """What became of a task. Times are UTC, ISO 8601; None where it did not happen."""

    task: str
    standing: Standing
    attempts: int
    """Checks that could be judged, up to the first that was correct."""
    first: str | None
    """When it was judged first."""
    last: str | None
    """When it was judged last."""
    solved: str | None
    """When it was correct first."""
    answered: str | None
    """When a finding was written down last, for a task that asks for one."""
    hints: int
    """How many different hints were read."""
    solution_shown: bool


@dataclass(frozen=True)
class PredictionHistory:
    """What became of a prediction: the one that stood when its outcome was seen first: only that was a guess."""

    question: str
    predicted: int | str | None = None
    observed: int | str | None = None

    @property
    def made(self) -> bool:
        """Whether anything was predicted."""
        return self.predicted is not None

    @property
    def seen(self) -> bool:
        """Whether what was predicted was then tried."""
        return self.made and self.observed is not None

    @property
    def held(self) -> bool:
        """Whether it came as predicted."""
        return self.seen and self.predicted == self.observed


def task_history(task: str, notes: Iterable[Note]) -> TaskHistory:
    """What became of a task, from the entries about it, oldest first."""
    about = [note for note in notes if note.about == task]
    judged = [note for note in about if note.kind == "attempt" and note.value["outcome"] in _JUDGED]
    right = [number for number, note in enumerate(judged) if note.value["outcome"] == Outcome.CORRECT]
    found = [note.at for note in about if note.kind == "answer" and note.value is not None]
    return TaskHistory(
        task=task,
        standing=Standing.SOLVED if right else Standing.ATTEMPTED if judged else Standing.OPEN,
        attempts=right[0] + 1 if right else len(judged),
        first=judged[0].at if judged else None,
        last=judged[-1].at if judged else None,
        solved=judged[right[0]].at if right else None,
        answered=found[-1] if found else None,
        hints=len({note.value for note in about if note.kind == "hint"}),
        solution_shown=any(note.kind == "solution" for note in about),
    )


def prediction_history(question: str, notes: Sequence[Note]) -> PredictionHistory:
    """What became of a prediction, from the entries about it, oldest first."""
    predicted: int | str | None = None
    for note in notes:
        if note.about == question and note.kind == "prediction":
            predicted = note.value
        elif note.about == question and note.kind == "observation" and predicted is not None:
            return PredictionHistory(question, predicted, note.value)
    return PredictionHistory(question, predicted)


_JUDGED = (Outcome.CORRECT, Outcome.INCORRECT)
