"""A class at work: a learner a row, a task a column, looked at again while the page is open."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kubelab.grading.history import Standing
from kubelab.lab.errors import LabError
from kubelab.widgets.assets import joined
from kubelab.workshop import picture
from kubelab.workshop.access import Access, open_cluster
from kubelab.workshop.plan import DEFAULT_NAME
from kubelab.workshop.status import Room, Seat, by_lesson, look, task_of

SHORTEST_SECONDS = 2.0


class WorkshopView(anywidget.AnyWidget):
    """``WorkshopView("workshop")``: who is where, and who may want help, by the reports of the learners' own checks.

    ``kubeconfig`` and ``context`` say on which cluster, as for `kubelab workshop status`; it is asked by two requests
    every ``seconds`` while the page is in sight and the box is ticked. `room` holds what was seen last; `ask` looks
    anew. Raises `LabError`.
    """

    _esm = joined("dom.js", "workshop_view.js")
    _css = joined("common.css", "workshop_view.css")
    lessons: traitlets.List[Any] = traitlets.List(help="Number, and the tasks: name, solved, tried.").tag(sync=True)
    seats: traitlets.List[Any] = traitlets.List(help="A learner each: name, host, where, marks, words.").tag(sync=True)
    sentence = traitlets.Unicode(help="How the class does.").tag(sync=True)
    legend = traitlets.Unicode(picture.LEGEND).tag(sync=True)
    seconds = traitlets.Float(5.0, help="Between two looks.").tag(sync=True)
    again = traitlets.Int(0, help="Counted up by the page: look again.").tag(sync=True)
    busy = traitlets.Bool(False, help="Whether the cluster is being asked.").tag(sync=True)
    problem = traitlets.Unicode(help="Why nothing could be seen.").tag(sync=True)

    def __init__(
        self,
        workshop: str = DEFAULT_NAME,
        *,
        kubeconfig: str | Path | None = None,
        context: str | None = None,
        seconds: float = 5.0,
        access: Access | None = None,
    ) -> None:
        self._workshop = workshop
        self._access = access or open_cluster(Path(kubeconfig) if kubeconfig else None, context)
        super().__init__(seconds=max(SHORTEST_SECONDS, seconds))
        self.room: Room
        self.ask()
        self.observe(self._asked_again, names="again")

    def ask(self) -> Room:
        """Look now, and show it. Raises `LabError`."""
        self.busy = True
        try:
            self.room = look(self._access, self._workshop, datetime.now(UTC))
        finally:
            self.busy = False
        with self.hold_sync():
            self.lessons = [[lesson, [[task, self.room.solved(task), self.room.tried(task)] for task in tasks]]
                            for lesson, tasks in by_lesson(self.room.tasks)]  # fmt: skip
            self.seats = [_shown(self.room, seat) for seat in self.room.seats]
            self.sentence = f"{picture.sentence(self.room)}."
        return self.room

    def __repr__(self) -> str:
        return picture.text(self.room)

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**bundle, "text/plain": repr(self), "text/html": picture.html(self.room)}, metadata

    def _asked_again(self, _: Any) -> None:
        """The page's way: what goes wrong is shown in the widget, there is nobody else to tell."""
        try:
            self.ask()
            self.problem = ""
        except LabError as error:
            self.problem = str(error)


def _shown(room: Room, seat: Seat) -> dict[str, Any]:
    tasks = room.tasks
    begun = {at: task_of(seat, task) for at, task in enumerate(tasks)
             if task_of(seat, task).standing is not Standing.OPEN}  # fmt: skip
    return {
        "name": seat.name,
        "label": seat.label,
        "host": seat.host,
        "at": seat.report.at,
        "where": picture.where(seat, room.at),
        "marks": "".join(picture.mark(seat, task) for task in tasks),
        "words": {str(at): picture.words(tasks[at], report) for at, report in begun.items()},
        "solved": seat.solved,
        "stuck": seat.stuck,
    }
