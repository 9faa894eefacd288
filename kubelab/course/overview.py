"""How far a learner is: each lesson's tasks, predictions and findings, from the book in the folder of the course."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from kubelab.course.catalogue import Lesson, catalogue
from kubelab.course.tables import padded
from kubelab.grading import Book
from kubelab.grading.book import Note
from kubelab.grading.export import Row
from kubelab.grading.history import PredictionHistory, Standing, TaskHistory, prediction_history, task_history

MARKS = {Standing.SOLVED: "✔", Standing.ATTEMPTED: "✖", Standing.OPEN: "○"}
_COLOURS = {Standing.SOLVED: "#009E73", Standing.ATTEMPTED: "#D55E00", Standing.OPEN: "#999999"}
_LEGEND = "   ".join(f"{mark} {standing}" for standing, mark in MARKS.items())
_HEAD = ("lesson", "tasks", "predicted", "held", "findings")


@dataclass(frozen=True)
class TaskProgress:
    """A task and what became of it."""

    title: str
    points: float
    history: TaskHistory


@dataclass(frozen=True)
class LessonProgress:
    """A lesson and what became of it."""

    number: int
    title: str
    slug: str
    """For grade books: its number and its package's name, for example ``01-pods-are-ephemeral``."""
    tasks: tuple[TaskProgress, ...]
    predictions: tuple[PredictionHistory, ...]

    @property
    def solved(self) -> int:
        """How many tasks are solved."""
        return sum(task.history.standing is Standing.SOLVED for task in self.tasks)

    @property
    def made(self) -> int:
        """How many predictions were made."""
        return sum(prediction.made for prediction in self.predictions)

    @property
    def seen(self) -> int:
        """How many predictions were then tried."""
        return sum(prediction.seen for prediction in self.predictions)

    @property
    def held(self) -> int:
        """How many predictions came true."""
        return sum(prediction.held for prediction in self.predictions)

    @property
    def findings(self) -> int:
        """For how many tasks a finding was written down."""
        return sum(task.history.answered is not None for task in self.tasks)

    @property
    def begun(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.made or self.findings or any(task.history.first for task in self.tasks))


@dataclass(frozen=True)
class Progress:
    """One learner's progress. Its text and HTML have no times in them, so that a stored notebook stays the same."""

    learner: str | None
    book: Path
    lessons: tuple[LessonProgress, ...]

    def rows(self, learner: str) -> Iterator[Row]:
        """A row a task, for grade books."""
        for lesson in self.lessons:
            for task in lesson.tasks:
                history = task.history
                points = task.points if history.standing is Standing.SOLVED else 0.0
                yield Row(
                    learner, lesson.slug, history.task, history.standing, history.attempts, history.first,
                    history.last, points, task.points, history.hints, history.solution_shown,
                )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Plain values, for ``json.dumps``; times are UTC, ISO 8601."""
        return {
            "learner": self.learner,
            "book": str(self.book),
            "lessons": [
                {
                    "number": lesson.number,
                    "title": lesson.title,
                    "lesson": lesson.slug,
                    "tasks": [{"title": task.title, "points": task.points} | asdict(task.history)
                              for task in lesson.tasks],
                    "predictions": [asdict(each) | {"held": each.held if each.seen else None}
                                    for each in lesson.predictions],
                }
                for lesson in self.lessons
            ],
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"{padded([_HEAD, *(_cells(lesson) for lesson in self.lessons)])}\n{_LEGEND}"

    def _repr_html_(self) -> str:
        left = "style='text-align: left'"
        head = "".join(f"<th scope='col' {left}>{cell}</th>" for cell in _HEAD)
        body = ""
        for lesson in self.lessons:
            title, _, *others = _cells(lesson)
            marks = " ".join(_mark(task) for task in lesson.tasks)
            cells = "".join(f"<td {left}>{escape(cell)}</td>" for cell in others)
            weight = "bold" if lesson.begun else "normal"
            name = f"<th scope='row' style='text-align: left; font-weight: {weight}'>{escape(title)}</th>"
            body += f"<tr>{name}<td {left}>{marks}</td>{cells}</tr>"
        caption = f"<caption style='caption-side: bottom; text-align: left'>{_LEGEND}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def progress(folder: str | Path | None = None) -> Progress:
    """How far you are; ``folder`` is another one that holds a book. Nothing is written. Raises `BookError`."""
    book = Book(Path(folder)) if folder is not None else Book()
    notes = book.read()
    return Progress(book.learner(), book.file, tuple(_lesson(lesson, notes) for lesson in catalogue()))


def _lesson(lesson: Lesson, notes: Sequence[Note]) -> LessonProgress:
    return LessonProgress(
        lesson.number,
        lesson.title,
        slug=lesson.package.removeprefix("lesson").replace("_", "-"),
        tasks=tuple(TaskProgress(task.title, task.points, task_history(task.id, notes)) for task in lesson.tasks),
        predictions=tuple(prediction_history(question.id, notes) for question in lesson.questions),
    )


def _cells(lesson: LessonProgress) -> tuple[str, ...]:
    return (
        f"{lesson.number:>2} {lesson.title}",
        "  ".join(f"{MARKS[task.history.standing]} {task.history.task}" for task in lesson.tasks),
        f"{lesson.made} of {len(lesson.predictions)}",
        f"{lesson.held} of {lesson.seen}" if lesson.seen else "",
        str(lesson.findings or ""),
    )


def _mark(task: TaskProgress) -> str:
    standing = task.history.standing
    return (
        f"<span title='{escape(task.title, quote=True)}: {standing}' style='white-space: nowrap; margin-right: 0.6em'>"
        f"<span style='color: {_COLOURS[standing]}'>{MARKS[standing]}</span> {escape(task.history.task)}</span>"
    )
