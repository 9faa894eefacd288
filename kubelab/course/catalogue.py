"""What a lesson consists of, and where the lessons are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from kubelab.clusters.base import Capability
from kubelab.course import files, lessons
from kubelab.course.seed import Seed
from kubelab.grading import Result
from kubelab.lab.api import Object
from kubelab.lab.errors import LabError, Lacking
from kubelab.lab.lab import Lab


@dataclass(frozen=True)
class Question:
    """Something to be predicted before it is tried: a whole number from ``low`` to ``high``, or one of ``options``."""

    id: str
    text: str
    low: int = 0
    high: int = 0
    options: tuple[str, ...] = ()
    unit: str = ""
    """What the number counts, for example ``of 3 pod IPs``."""

    def read(self, value: object) -> int | str:
        """The prediction, if it is one. Raises `LabError` with what is expected."""
        if self.options:
            if value in self.options:
                return str(value)
            raise LabError(
                f"{self.id}: {value!r} is none of the choices; write one of {', '.join(map(repr, self.options))}."
            )
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return value
        raise LabError(f"{self.id}: {value!r} cannot be; write a whole number from {self.low} to {self.high}.")

    def words(self, value: object) -> str:
        """``2 of 3 pod IPs``."""
        return f"{value} {self.unit}".strip()


@dataclass(frozen=True)
class Task:
    """Something to be done and checked by traffic."""

    id: str
    title: str
    check: Callable[[Lab, Seed], Result]
    start: Callable[[Lab, Seed], None]
    """Sets up the start state, from an empty namespace."""
    facts: Callable[[Seed], Mapping[str, object]]
    """The learner's own names and numbers."""
    hints: Sequence[str]
    """From a nudge to nearly there; never the answer."""
    solution: str
    """A template: ``${name}`` is replaced from ``facts`` and ``secrets``."""
    secrets: Callable[[Seed], Mapping[str, object]] = lambda _: {}
    """What the learner has to find out; the solution alone may say it."""
    points: float = 1.0
    """What it brings in a grade book."""


@dataclass(frozen=True)
class Lesson:
    """One lesson of the course."""

    number: int
    title: str
    package: str
    needs: frozenset[Capability] = frozenset()
    questions: tuple[Question, ...] = ()
    tasks: tuple[Task, ...] = ()

    def manifest(self, name: str, **values: object) -> list[Object]:
        """A manifest of the lesson, ready for `Lab.apply`, with its ``${…}`` filled in."""
        return files.manifest(self.package, name, **values)

    def require(self, lab: Lab) -> None:
        """Raises `LabError` when the cluster lacks something that the lesson needs."""
        missing = sorted(self.needs - lab.cluster.capabilities)
        if missing:
            raise Lacking(
                f"Lesson {self.number} needs {' and '.join(missing)}, which this cluster ({lab.cluster.provider}) "
                "cannot offer; `kubelab doctor` says where it can be had."
            )


@dataclass(frozen=True)
class Brief:
    """What is special about a learner's task: the names and numbers that nobody else has."""

    task: str
    title: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        # Called only for names that are not fields; an object that is being copied has no fields yet.
        facts = self.__dict__.get("facts", {})
        if name not in facts:
            raise AttributeError(f"this task has no {name!r}; it has {', '.join(facts)}")
        return facts[name]

    def __repr__(self) -> str:
        width = max(map(len, self.facts), default=0)
        lines = [
            f"{self.task} {self.title}",
            *(f"  {name.ljust(width)}  {value}" for name, value in self.facts.items()),
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align: left'>{escape(name)}</th>"
            f"<td style='text-align: left'><code>{escape(str(value))}</code></td></tr>"
            for name, value in self.facts.items()
        )
        return f"<div><b>{escape(self.task)} {escape(self.title)}</b><table><tbody>{rows}</tbody></table></div>"


@cache
def catalogue() -> tuple[Lesson, ...]:
    """All lessons, in their order: a package each in `kubelab.course.lessons`."""
    packages = sorted(module.name for module in iter_modules(lessons.__path__) if module.ispkg)
    return tuple(import_module(f"{lessons.__name__}.{package}").LESSON for package in packages)


def lesson(number: int) -> Lesson:
    """A lesson by its number. Raises `LabError`."""
    for candidate in catalogue():
        if candidate.number == number:
            return candidate
    raise LabError(f"There is no lesson {number}; there are {', '.join(str(known.number) for known in catalogue())}.")


def task(id_: str) -> Task:
    """A task by its id. Raises `LabError`."""
    known = {task.id: task for lesson in catalogue() for task in lesson.tasks}
    if id_ not in known:
        raise LabError(f"There is no task {id_!r}; there are {', '.join(known)}.")
    return known[id_]


def question(id_: str) -> Question:
    """A question by its id. Raises `LabError`."""
    known = {question.id: question for lesson in catalogue() for question in lesson.questions}
    if id_ not in known:
        raise LabError(f"There is no question {id_!r}; there are {', '.join(known)}.")
    return known[id_]
