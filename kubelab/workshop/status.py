"""Who is where: everybody's reports of one workshop, read by two list requests."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubelab.grading.history import Standing
from kubelab.grading.report import KEY, LEARNER_LABEL, SLIP, WORKSHOP_LABEL, NoReport, Report, TaskReport, read
from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.workshop.access import Access
from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.objects import HOST_ANNOTATION, NAMESPACE

STUCK_ATTEMPTS = 3
"""From how many attempts at a task that is not solved somebody may want help."""
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Seat:
    """One learner of the room."""

    label: str
    name: str
    host: str
    report: Report
    problem: str = ""
    """Why what stands there cannot be read; empty when it can."""

    @property
    def begun(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.report.at)

    @property
    def solved(self) -> int:
        """How many tasks are."""
        return sum(task.standing is Standing.SOLVED for task in self.report.tasks.values())

    @property
    def stuck(self) -> str:
        """The task that was tried last and several times without success; empty when there is none."""
        task = self.report.tasks.get(self.report.here, TaskReport())
        return self.report.here if task.standing is not Standing.SOLVED and task.attempts >= STUCK_ATTEMPTS else ""


@dataclass(frozen=True)
class Room:
    """Everybody, as they were at one moment."""

    workshop: str
    at: datetime
    seats: tuple[Seat, ...]
    """By their names."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The course's tasks, as far as anybody's kubelab has told of them."""
        known = {task for seat in self.seats for task in seat.report.tasks}
        return tuple(sorted(known, key=natural))

    @property
    def stuck(self) -> list[Seat]:
        """Who may want help: most attempts first."""
        seats = [seat for seat in self.seats if seat.stuck]
        return sorted(seats, key=lambda seat: -seat.report.tasks[seat.stuck].attempts)

    def solved(self, task: str) -> int:
        """By how many."""
        return sum(task_of(seat, task).standing is Standing.SOLVED for seat in self.seats)

    def tried(self, task: str) -> int:
        """By how many in vain so far."""
        return sum(task_of(seat, task).standing is Standing.ATTEMPTED for seat in self.seats)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for ``json.dumps``."""
        return {
            "workshop": self.workshop,
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tasks": [
                {"task": task, "solved": self.solved(task), "attempted": self.tried(task)} for task in self.tasks
            ],
            "learners": [_seat_json(seat) for seat in self.seats],
        }


def look(access: Access, workshop: str, now: datetime) -> Room:
    """The room at this moment. Raises `WorkshopError` when there is no such workshop, `LabError`."""
    selector = f"{WORKSHOP_LABEL}={workshop}"
    namespaces, slips = access.each(
        lambda kind: access.listed(kind._replace(namespaced=False).path(""), selector), (NAMESPACE, kinds.CONFIGMAP)
    )
    # Who takes part, the namespaces say. In them learners may label ConfigMaps as they like, and delete them.
    seated = {each["metadata"]["name"]: each for each in namespaces if "deletionTimestamp" not in each["metadata"]}
    if not seated:
        raise WorkshopError(
            f"There is no workshop {workshop!r} on {access.address.server}; `kubelab workshop create` makes one, "
            "--workshop and --context choose another."
        )
    written = {each["metadata"]["namespace"]: each for each in slips if each["metadata"]["name"] == SLIP}
    seats = [_seat(namespace, written.get(name)) for name, namespace in seated.items()]
    return Room(workshop, now, tuple(sorted(seats, key=lambda seat: (seat.name.casefold(), seat.label))))


def natural(task: str) -> list[tuple[int, str]]:
    """A key that sorts 2.10 behind 2.9."""
    return [(int(part), "") if part.isdigit() else (1 << 30, part) for part in re.split(r"[.-]", task)]


def lesson_of(task: str) -> str:
    """``2`` of ``2.1``."""
    return task.partition(".")[0]


def by_lesson(tasks: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Lessons and their tasks, in order."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        found.setdefault(lesson_of(task), []).append(task)
    return list(found.items())


def task_of(seat: Seat, task: str) -> TaskReport:
    """How far somebody is with a task; untouched when their kubelab does not know it."""
    return seat.report.tasks.get(task, TaskReport())


def _seat(namespace: Object, slip: Object | None) -> Seat:
    metadata = namespace["metadata"]
    label = metadata["labels"].get(LEARNER_LABEL, metadata["name"])
    host = (metadata.get("annotations") or {}).get(HOST_ANNOTATION, "")
    if slip is None:
        return Seat(label, label, host, Report(), f"its ConfigMap {SLIP} is gone, `create` makes it anew")
    data = slip.get("data") or {}
    report, problem = Report(), ""
    try:
        report = read(data.get(KEY, ""))
    except NoReport as error:
        problem = str(error)
    return Seat(label, _shown(data.get("name") or label), host, report, problem)


def _shown(text: str) -> str:
    """Learners may write there what they like; what would move a terminal's cursor is left out."""
    return "".join(c for c in text if not unicodedata.category(c).startswith("C"))[:_LONGEST_NAME]


def _seat_json(seat: Seat) -> dict[str, Any]:
    report = seat.report
    tasks = {name: {**vars(task), "standing": str(task.standing)} for name, task in report.tasks.items()}
    return {"learner": seat.label, "name": seat.name, "host": seat.host, "at": report.at or None,
            "here": report.here or None, "solved": seat.solved, "stuck": seat.stuck or None,
            "predictions": report.predictions, "held": report.held, "problem": seat.problem or None,
            "tasks": tasks}  # fmt: skip
