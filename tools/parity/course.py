"""The lessons on one cluster: the cells of their notebooks, and the verdicts on them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.course.catalogue import Lesson
from tools.parity.places import ROOT, NotThere, Running
from tools.parity.table import Column
from tools.parity.verdicts import Cell, Verdict, judge, settled, together

CELL_SECONDS = 180
NOTEBOOK_SECONDS = 900
FOLDERS = {"notebooks": "the lesson", "solutions": "its tasks"}


@dataclass
class Course:
    """Some lessons on a cluster."""

    running: Running
    lessons: Sequence[Lesson]
    keep: Path | None = None
    """Where to keep what every cell showed."""
    verdicts: dict[int, Verdict] = field(default_factory=dict)

    @property
    def column(self) -> Column:
        """For the table."""
        return Column(self.running.place.head, self.verdicts, self.running.note)

    @property
    def differing(self) -> list[Lesson]:
        """The lessons that differ here."""
        return [each for each in self.lessons if each.number in self.verdicts and self.verdicts[each.number].different]

    def take(self, stopped: Callable[[], bool]) -> None:
        """Bring the cluster up and run all lessons until it is said to stop. Raises `NotThere`."""
        self.say("coming up")
        self.running.begin()
        capabilities, lacks = self.running.can()
        for lesson in self.lessons:
            if stopped():
                return
            begin, missing = time.monotonic(), sorted(lesson.needs - capabilities)
            self._note(lesson, begin, _lacking(missing, lacks) if missing else self._run(lesson))

    def take_again(self, lesson: Lesson) -> None:
        """Run a lesson that differed once more, now that nothing else runs."""
        begin = time.monotonic()
        self._note(lesson, begin, settled(self.verdicts[lesson.number], self._run(lesson)), "by itself, ")

    def say(self, sentence: str) -> None:
        """To whoever waits for the table."""
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {self.running.place.head}: {sentence}\n")

    def _note(self, lesson: Lesson, begin: float, verdict: Verdict, how: str = "") -> None:
        self.verdicts[lesson.number] = verdict
        self.say(f"lesson {lesson.number} {how}after {time.monotonic() - begin:.0f} s: {_in_words(verdict)}")

    def _run(self, lesson: Lesson) -> Verdict:
        found = []
        for folder, where in FOLDERS.items():
            for notebook in sorted(ROOT.glob(f"{folder}/{lesson.number:02}-*.ipynb")):
                found.append(judge(self._cells(notebook), where))
        return together(found)

    def _cells(self, notebook: Path) -> list[Cell]:
        """Run a notebook as tests/lessons does, with an empty book; a cell that stalls ends the notebook."""
        running, name = self.running, f"{notebook.parent.name}-{notebook.stem}"
        at = time.monotonic_ns()
        book, lines = running.home / "books" / f"{name}-{at}", running.home / f"{name}-{at}.jsonl"
        argv = ["-m", "pytest", "-p", "tools.parity.cells", f"--parity-cells={lines}", "--nbval", "--nbval-current-env",
                f"--nbval-cell-timeout={CELL_SECONDS}", "--timeout=0", "--color=no", notebook]  # fmt: skip
        try:
            done = running.run(*argv, seconds=NOTEBOOK_SECONDS, KUBELAB_PROGRESS=str(book))
            words = done.stdout + done.stderr
        except NotThere as reason:
            words = str(reason)
        text = lines.read_text() if lines.exists() else ""
        if self.keep is not None:
            self.keep.mkdir(parents=True, exist_ok=True)
            self.keep.joinpath(f"{running.place.key}-{lines.name}").write_text(text)
            self.keep.joinpath(f"{running.place.key}-{lines.stem}.txt").write_text(words)
        return _whole([Cell(**json.loads(line)) for line in text.splitlines()], notebook, words)


def _whole(cells: list[Cell], notebook: Path, words: str) -> list[Cell]:
    """With one that failed for those that were not run."""
    wanted = sum(cell["cell_type"] == "code" for cell in json.loads(notebook.read_text())["cells"])
    if len(cells) == wanted:
        return cells
    last = (words.strip().splitlines() or ["nothing"])[-1]
    return [*cells, Cell(f"{len(cells) + 1} and what follows: it was not run", "", False, "", last)]


def _lacking(missing: Sequence[str], lacks: dict[str, str]) -> Verdict:
    reasons = dict.fromkeys(lacks[each] for each in missing if each in lacks)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return Verdict(lacks=f"It lacks {', '.join(missing)}{why}")


def _in_words(verdict: Verdict) -> str:
    if verdict.different:
        return f"different: {'; '.join(verdict.different)}"
    if verdict.lacks:
        return "skipped"
    return f"equal, {len(verdict.skipped)} of {verdict.cells} cells skipped" if verdict.skipped else "equal"
