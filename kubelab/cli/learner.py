"""progress: how far a learner is, for people, for programs and for grade books."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table

    from kubelab.course.overview import LessonProgress, Progress, TaskProgress
    from kubelab.grading.export import Row

COLOURS = {"solved": "green", "attempted": "yellow", "open": "dim"}


@click.command("progress", short_help="Say how far you are; write it for a grade book.")
@click.argument("folders", nargs=-1, metavar="[[NAME=]FOLDER]...")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, one object a learner.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write a row a task to FILE; - is standard output.")
@click.option("--nbgrader", "gradebook", metavar="DIR|FILE.db", type=click.Path(path_type=Path),
              help="Write points into nbgrader's gradebook.db, made when it is not there.")  # fmt: skip
def learner_progress(folders: tuple[str, ...], as_json: bool, csv_file: str | None, gradebook: Path | None) -> None:
    """Say how far the learner of the course in this FOLDER is.

    Teachers name several folders. A book says whose it is: who wrote into it first, or KUBELAB_LEARNER; NAME= says
    otherwise.
    """
    everyone = [_read(folder) for folder in folders] or [_here()]
    if csv_file is not None:
        _export_csv(_rows(everyone), csv_file)
    if gradebook is not None:
        _export_gradebook(_rows(everyone), gradebook)
    if as_json:
        click.echo(json.dumps([progress.as_json() for progress in everyone], indent=2, ensure_ascii=False))
    elif csv_file is None and gradebook is None:
        for progress in everyone:
            _show(progress)


def _here() -> Progress:
    from kubelab.course.overview import progress

    return progress()


def _read(argument: str) -> Progress:
    """The progress of ``[NAME=]FOLDER``; the folder is that of the course, of its notebooks or of the book itself."""
    from dataclasses import replace

    from kubelab.course.overview import progress
    from kubelab.grading.book import Book, BookError, course_book

    name, said, rest = argument.partition("=")
    named = bool(said) and not Path(argument).exists()
    folder = Path(rest if named else argument)
    book = next((book for book in (Book(folder), Book(course_book(folder.absolute()))) if book.exists()), None)
    if book is None:
        raise BookError(f"There is no progress in {folder}: no file {Book(folder / '.kubelab').file}.")
    found = progress(book.folder)
    return replace(found, learner=name) if named else found


def _rows(everyone: Iterable[Progress]) -> list[Row]:
    """Everybody's rows. Raises `BookError` when it is not clear whose they are."""
    from kubelab.grading.book import BookError

    whose: dict[str, Path] = {}
    rows: list[Row] = []
    for progress in everyone:
        name, folder = progress.learner, progress.book.parent
        if name is None:
            raise BookError(f"The book in {folder} does not say whose it is; say so: kubelab progress NAME={folder} …")
        if name in whose:
            raise BookError(
                f"The books in {whose[name]} and {folder} are both of a learner called {name}; "
                f"say who is who: kubelab progress NAME={folder} …"
            )
        whose[name] = folder
        rows += progress.rows(name)
    return rows


def _export_csv(rows: list[Row], file: str) -> None:
    from kubelab.grading.book import BookError
    from kubelab.grading.export import write_csv

    if file == "-":
        write_csv(rows, sys.stdout)
        return
    try:
        with Path(file).open("w", newline="", encoding="utf-8") as out:
            write_csv(rows, out)
    except OSError as error:
        raise BookError(f"{file} cannot be written: {error.strerror}.") from error
    _say_what_was_written(rows, file)


def _export_gradebook(rows: list[Row], where: Path) -> None:
    from kubelab.grading.gradebook import gradebook_file, write_gradebook

    file = gradebook_file(where)
    write_gradebook(rows, file)
    _say_what_was_written(rows, f"nbgrader's gradebook {file}")


def _say_what_was_written(rows: list[Row], where: str) -> None:
    learners, tasks = len({row.learner for row in rows}), len({row.task for row in rows})
    click.echo(f"{learners} learner{'' if learners == 1 else 's'}, {tasks} tasks each: in {where}.", err=True)


def _show(progress: Progress) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if progress.book.exists():
        console.print(Text(f"{progress.learner or 'A learner'}, from {progress.book}"), soft_wrap=True)
    else:
        where = progress.book.parent
        console.print(Text(f"Nothing is written down in {where} yet; your first prediction begins it."), soft_wrap=True)
    for lesson in progress.lessons:
        if lesson.begun:
            console.print(Text(f"{lesson.number:>2}  {lesson.title}", style="bold"))
            console.print(_tasks(lesson))
            console.print(Text(f"    {_predictions(lesson)}"))
        else:
            console.print(Text(f"{lesson.number:>2}  {lesson.title}", style="dim"))


def _tasks(lesson: LessonProgress) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for _ in range(5):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for task in lesson.tasks:
        table.add_row(*_line(task))
    return table


def _line(task: TaskProgress) -> tuple[Any, ...]:
    from rich.text import Text

    from kubelab.course.overview import MARKS

    history = task.history
    standing = history.standing
    when = history.solved or history.last
    attempts = f"{history.attempts} attempt{'' if history.attempts == 1 else 's'}" if history.attempts else ""
    finding = f"\nfinding written down {_local(history.answered)}" if history.answered else ""
    mark = Text(f"  {MARKS[standing]}", style=COLOURS[standing])
    return mark, history.task, standing, _local(when) if when else "", attempts, Text(f"{task.title}{finding}")


def _predictions(lesson: LessonProgress) -> str:
    made = f"{lesson.made} of {len(lesson.predictions)} predictions made"
    return f"{made}; of {lesson.seen} that were tried, {lesson.held} held" if lesson.seen else made


def _local(moment: str) -> str:
    """``2026-11-23 14:05``, by this machine's clock."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
