"""What an instructor sees of a learner while a workshop goes on: one small document in the learner's own namespace.

`kubelab workshop create` lays out a ConfigMap for it in every learner's namespace; after each check the learner's own
rights are enough to write into it, and one list request reads those of everybody. It is a view of the room and not a
grade: a learner may write there what they like. Grades come from the book (`kubelab progress`).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubelab.grading.book import Note
from kubelab.grading.history import Standing, prediction_history, task_history

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

SLIP = "kubelab-workshop"
"""The ConfigMap's name, the same in every learner's namespace."""
KEY = "progress"
"""Where in the ConfigMap's data the document stands."""
WORKSHOP_LABEL, LEARNER_LABEL = "kubelab.dev/workshop", "kubelab.dev/learner"
"""On the namespace and on everything that a workshop makes."""
PROVIDER = "existing"
"""Only on a cluster that is somebody else's can a learner be in a workshop."""

VERSION = 1
LONGEST = 64 << 10
"""Letters. What is longer was not written by kubelab: the whole course takes a few thousand."""
_ATTEMPTS = 3
_TASK = re.compile(r"\d{1,3}\.[\w.-]{1,40}")


class NoReport(ValueError):
    """A document that is none. The message says why, in a few words."""


@dataclass(frozen=True)
class TaskReport:
    """How far somebody is with a task."""

    standing: Standing = Standing.OPEN
    attempts: int = 0
    hints: int = 0
    solution_shown: bool = False


@dataclass(frozen=True)
class Report:
    """How far somebody is. Times are UTC, ISO 8601."""

    at: str = ""
    """When it was written; empty: never."""
    here: str = ""
    """The task or question that was touched last, for example ``2.1`` or ``1.delete``."""
    tasks: Mapping[str, TaskReport] = field(default_factory=dict)
    """All tasks that the learner's kubelab knows, in their order."""
    predictions: int = 0
    held: int = 0

    def written(self) -> str:
        """The document: JSON on one line, and nothing that can be left out."""
        tasks = {name: _brief(task) for name, task in self.tasks.items()}
        whole = {"version": VERSION, "at": self.at, "here": self.here, "tasks": tasks,
                 "predictions": self.predictions, "held": self.held}  # fmt: skip
        return json.dumps(whole, separators=(",", ":"))


def summed_up(notes: Sequence[Note], tasks: Iterable[str], questions: Iterable[str], now: datetime) -> Report:
    """What the entries of a book come to."""
    histories = [task_history(task, notes) for task in tasks]
    guesses = [prediction_history(question, notes) for question in questions]
    known = {history.task for history in histories} | {guess.question for guess in guesses}
    return Report(
        at=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        here=next((note.about for note in reversed(notes) if note.about in known), ""),
        tasks={
            each.task: TaskReport(each.standing, each.attempts, each.hints, each.solution_shown) for each in histories
        },
        predictions=sum(guess.made for guess in guesses),
        held=sum(guess.held for guess in guesses),
    )


def read(text: str) -> Report:
    """A document as it was written; none at all is a report of nothing. Raises `NoReport`."""
    if not text:
        return Report()
    if len(text) > LONGEST:
        raise NoReport(f"it has {len(text)} letters")
    try:
        whole = json.loads(text)
        if whole["version"] != VERSION:
            raise NoReport(f"it has version {str(whole['version'])[:20]}, this kubelab knows {VERSION}")
        at = str(whole["at"])
        datetime.fromisoformat(at)
        return Report(at, str(whole["here"])[:40], {name: _task(name, each) for name, each in whole["tasks"].items()},
                      int(whole["predictions"]), int(whole["held"]))  # fmt: skip
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NoReport("it has not the form of one") from error
    except json.JSONDecodeError as error:
        raise NoReport("it is no JSON") from error
    except ValueError as error:
        raise error if isinstance(error, NoReport) else NoReport(str(error)[:80]) from error


def _brief(task: TaskReport) -> dict[str, Any]:
    plain = TaskReport()
    return {name: value for name, value in vars(task).items() if value != getattr(plain, name)}


def _task(name: str, said: Mapping[str, Any]) -> TaskReport:
    if not _TASK.fullmatch(name):
        raise NoReport(f"{name[:20]!r} is no task")
    return TaskReport(
        Standing(said.get("standing", Standing.OPEN)),
        int(said.get("attempts", 0)),
        int(said.get("hints", 0)),
        bool(said.get("solution_shown", False)),
    )


class Reporter:
    """Sends reports in the background, the newest last. That it cannot is said once, and nothing else comes of it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._newest: dict[int, Report] = {}
        self._trouble = ""
        self._told = False

    def send(self, lab: Lab, report: Report) -> threading.Thread | None:
        """Begin to write a report where the instructor looks; None where nobody does."""
        if lab.cluster.provider != PROVIDER:
            return None
        with self._state:
            self._newest[id(lab)] = report
        thread = threading.Thread(target=self._deliver, args=(lab,), name="kubelab-report", daemon=True)
        thread.start()
        return thread

    def trouble(self) -> str:
        """A sentence, the first time that it is asked for after something went wrong; else nothing."""
        with self._state:
            said, self._trouble = self._trouble, ""
            self._told = self._told or bool(said)
            return said

    def _deliver(self, lab: Lab) -> None:
        with self._turn:
            with self._state:
                report = self._newest.pop(id(lab), None)
            if report is None:  # an earlier turn has taken it along
                return
            try:
                _write(lab, report)
            except Exception as error:
                # A thread of its own: whatever it is, nobody is above who could be told but the next check.
                with self._state:
                    if not self._told:
                        self._trouble = (
                            f"Your instructor does not see this ({_first_sentence(error)}); your own book has it."
                        )


def _write(lab: Lab, report: Report) -> None:
    from kubelab.lab import kinds
    from kubelab.lab.errors import ApiError, NotFound

    path = kinds.CONFIGMAP.path(lab.namespace, SLIP)
    for attempt in range(_ATTEMPTS):
        try:
            slip = lab.api.request("GET", path)
        except NotFound:
            return  # no workshop
        if WORKSHOP_LABEL not in (slip["metadata"].get("labels") or {}):
            return
        slip["data"] = {**(slip.get("data") or {}), KEY: report.written()}
        try:
            lab.api.request("PUT", path, body=slip)
            return
        except ApiError as error:
            if error.status != 409 or attempt == _ATTEMPTS - 1:
                raise


def _first_sentence(error: Exception) -> str:
    return str(error).split(";")[0].rstrip(".") or type(error).__name__


REPORTER = Reporter()
"""The one of this kernel."""
