"""The room as text and as HTML: a learner a line, a task a column, a mark where both meet."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import datetime
from html import escape

from kubelab.grading.history import Standing
from kubelab.grading.report import TaskReport
from kubelab.lab import palette
from kubelab.workshop.status import Room, Seat, by_lesson, lesson_of, task_of

MARKS = {Standing.SOLVED: "✔", Standing.ATTEMPTED: "✖", Standing.OPEN: "·"}
STUCK = "!"
"""Instead of the cross, where somebody has tried several times."""
COLOURS = {Standing.SOLVED: palette.GOOD, Standing.ATTEMPTED: palette.BAD}
LEGEND = "✔ solved   ✖ tried   ! tried 3 times or more, and is at it   · not begun"
_NAME_WIDTH = 24


def sentence(room: Room) -> str:
    """``200 learners, 180 have begun; most are in lesson 2 (64); 5 may want help``."""
    begun = [seat for seat in room.seats if seat.begun]
    said = [f"{_some(len(room.seats), 'learner')}, {len(begun)} {'has' if len(begun) == 1 else 'have'} begun"]
    where = Counter(lesson_of(seat.report.here) for seat in begun if lesson_of(seat.report.here).isdigit())
    if where:
        lesson, count = min(where.items(), key=lambda pair: (-pair[1], int(pair[0])))
        said.append(f"most are in lesson {lesson} ({count})")
    if room.stuck:
        said.append(f"{len(room.stuck)} may want help")
    if lost := sum(bool(seat.problem) for seat in room.seats):
        said.append(f"{_some(lost, 'report')} cannot be read")
    return "; ".join(said)


def mark(seat: Seat, task: str) -> str:
    """One letter."""
    return STUCK if seat.stuck == task else MARKS[task_of(seat, task).standing]


def ago(moment: str, now: datetime) -> str:
    """``now``, ``5 min``, ``3 h``, ``2 d``; empty for never."""
    if not moment:
        return ""
    seconds = max(0.0, (now - datetime.fromisoformat(moment)).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return "now"


def words(task: str, report: TaskReport) -> str:
    """What a pointer on a mark is told: ``2.1 solved, 3 attempts, 1 hint, solution shown``."""
    said = [f"{task} {'not begun' if report.standing is Standing.OPEN else report.standing}"]
    said += [_some(report.attempts, "attempt")] if report.attempts else []
    said += [_some(report.hints, "hint")] if report.hints else []
    return ", ".join([*said, *(["solution shown"] if report.solution_shown else [])])


def text(room: Room) -> str:
    """For a terminal of 100 columns, as far as the course's tasks allow."""
    if not room.tasks:
        return f"{room.workshop}: {sentence(room)}.\nReports come with the learners' first checks."
    lessons = by_lesson(room.tasks)
    width = min(_NAME_WIDTH, max((_cells(seat.name) for seat in room.seats), default=0))
    # a lesson's marks, under its number
    columns = {lesson: max(len(lesson), len(tasks)) for lesson, tasks in lessons}
    head = " ".join(lesson.ljust(columns[lesson]) for lesson, _ in lessons)
    lines = [f"{room.workshop}: {sentence(room)}.", f"{'lesson'.ljust(width)}  {head}".rstrip()]
    for seat in room.seats:
        marks = " ".join(
            "".join(mark(seat, task) for task in tasks).ljust(columns[lesson]) for lesson, tasks in lessons
        )
        lines.append(f"{_fitted(seat.name, width)}  {marks}  {where(seat, room.at)}".rstrip())
    return "\n".join([*lines, f"{'solved by'.ljust(width)}  {_solved(room, columns)}".rstrip(), LEGEND])


def html(room: Room) -> str:
    """The same for a page, without a script."""
    lessons = by_lesson(room.tasks)
    head = "".join(f"<th scope='col' {_LEFT}>{lesson}</th>" for lesson, _ in lessons)
    rows = "".join(_html_row(room, seat, lessons) for seat in room.seats)
    solved = "".join(f"<td {_LEFT}>{_whole(room, tasks)}</td>" for _, tasks in lessons)
    return (
        "<div style='font-family: var(--jp-ui-font-family, sans-serif)'>"
        f"<p><b>{escape(room.workshop)}</b>: {escape(sentence(room))}.</p>"
        "<div style='max-height: 36em; overflow: auto'>"
        "<table style='font-family: var(--jp-code-font-family, monospace)'>"
        f"<thead><tr><th scope='col' {_LEFT}>lesson</th>{head}<th scope='col' {_LEFT}>is at</th></tr></thead>"
        f"<tbody>{rows}</tbody>"
        f"<tfoot><tr><th scope='row' {_LEFT}>solved by</th>{solved}<td></td></tr></tfoot></table></div>"
        f"<p style='white-space: pre-wrap'>{escape(LEGEND)}</p></div>"
    )


_LEFT = "style='text-align: left'"


def _html_row(room: Room, seat: Seat, lessons: list[tuple[str, list[str]]]) -> str:
    cells = "".join(f"<td {_LEFT}>{''.join(_html_mark(seat, task) for task in tasks)}</td>" for _, tasks in lessons)
    at = escape(where(seat, room.at))
    return f"<tr><th scope='row' {_LEFT}>{escape(seat.name)}</th>{cells}<td {_LEFT}>{at}</td></tr>"


def _html_mark(seat: Seat, task: str) -> str:
    standing = task_of(seat, task).standing
    shown = f"{mark(seat, task)} "
    return shown if standing is Standing.OPEN else f"<span style='color: {COLOURS[standing]}'>{shown}</span>"


def where(seat: Seat, now: datetime) -> str:
    """``2.1, 5 min ago``; empty for who has not begun."""
    if seat.problem:
        return f"cannot be read: {seat.problem}"
    when = ago(seat.report.at, now)
    return f"{seat.report.here}, {when}{'' if when == 'now' else ' ago'}" if seat.begun else ""


def _solved(room: Room, columns: dict[str, int]) -> str:
    """How many have solved all of a lesson, under its marks."""
    return " ".join(str(_whole(room, tasks)).ljust(columns[lesson]) for lesson, tasks in by_lesson(room.tasks))


def _whole(room: Room, tasks: list[str]) -> int:
    return sum(all(task_of(seat, task).standing is Standing.SOLVED for task in tasks) for seat in room.seats)


def _fitted(name: str, width: int) -> str:
    if _cells(name) > width:
        while _cells(name) > width - 1:
            name = name[:-1]
        name += "…"
    return name + " " * (width - _cells(name))


def _cells(name: str) -> int:
    """How many columns of a terminal a name takes: Chinese letters take two, accents none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in name)
    return len(name) + wide - sum(unicodedata.combining(letter) > 0 for letter in name)


def _some(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
