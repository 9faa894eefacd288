"""Tasks as the learner meets them: start, check, hint, solution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from string import Template

from kubelab.clusters.base import ClusterError
from kubelab.course.catalogue import Brief, Task, lesson, task
from kubelab.course.reporting import report
from kubelab.course.seed import Seed
from kubelab.grading import Book, BookError, Outcome, Result
from kubelab.lab import current
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab


@dataclass(frozen=True)
class Advice:
    """A hint or a solution: text to read."""

    head: str
    text: str

    def __repr__(self) -> str:
        return f"{self.head}\n{self.text}"

    def _repr_html_(self) -> str:
        body = (
            f"<pre style='margin: 0.4em 0'>{escape(self.text)}</pre>"
            if "\n" in self.text
            else f"<p>{escape(self.text)}</p>"
        )
        return f"<div style='font-family: var(--jp-ui-font-family, sans-serif)'><b>{escape(self.head)}</b>{body}</div>"


def start(task_id: str, lab: Lab | None = None) -> Brief:
    """Empty the lab's namespace, set up a task's start state and show the learner's own names and numbers."""
    chosen, where = task(task_id), lab or current()
    _require(task_id, where)
    seed = _seed()
    where.reset()
    chosen.start(where, seed)
    return brief(task_id)


def _require(task_id: str, lab: Lab) -> None:
    """Raises `Lacking` where the lesson of this task cannot be taken."""
    lesson(int(task_id.split(".")[0])).require(lab)


def brief(task_id: str) -> Brief:
    """A task's names and numbers as `start` shows them, and nothing is changed: to go on in a restarted kernel."""
    chosen = task(task_id)
    return Brief(chosen.id, chosen.title, dict(chosen.facts(_seed())))


def check(task_id: str, lab: Lab | None = None) -> Result:
    """Check a task by traffic. The result is written into the learner's book, whatever it is.

    Raises `BookError` for a book that cannot be read. Where it cannot be written, the result says so.
    """
    chosen, seed, where = task(task_id), _seed(), lab
    try:
        where = where or current()
        _require(task_id, where)
        result = chosen.check(where, seed)
    except (LabError, ClusterError) as error:
        # The cluster's trouble is never the learner's fault.
        result = Result(chosen.id, Outcome.CANNOT_CHECK, str(error))
    try:
        Book().keep(result)
    except BookError as error:
        # What was found out is shown all the same.
        result = replace(result, advice=f"{result.advice} {error}".strip())
    if where is not None and (trouble := report(where)):
        result = replace(result, advice=f"{result.advice} {trouble}".strip())
    return result


def hint(task_id: str, level: int | None = None) -> Advice:
    """The next hint of a task, or the one of a level (from 1). No hint is the answer."""
    chosen = task(task_id)
    if level is None:
        level = min(len(Book().read("hint", chosen.id)) + 1, len(chosen.hints))
    if not 1 <= level <= len(chosen.hints):
        raise LabError(f"Task {chosen.id} has hints 1 to {len(chosen.hints)}.")
    Book().write("hint", chosen.id, level)
    return Advice(f"Hint {level} of {len(chosen.hints)} for {chosen.id}", _filled(chosen, chosen.hints[level - 1]))


def solution(task_id: str) -> Advice:
    """One way to solve a task; shown once something has been tried."""
    chosen = task(task_id)
    if not Book().attempted(chosen.id):
        return Advice(
            f"The solution of {chosen.id} is here when you have tried",
            f'Run check("{chosen.id}") on an attempt of yours first, even a wrong one; hint("{chosen.id}") helps.',
        )
    Book().write("solution", chosen.id, True)
    return Advice(f"One way to solve {chosen.id}", _filled(chosen, chosen.solution, chosen.secrets(_seed())))


def _filled(chosen: Task, template: str, secrets: Mapping[str, object] | None = None) -> str:
    facts = {name: str(value) for name, value in {**chosen.facts(_seed()), **(secrets or {})}.items()}
    return Template(template).substitute(facts).strip("\n")


def _seed() -> Seed:
    return Seed(Book().seed())
