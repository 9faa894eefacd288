"""Run every lesson on every cluster that is there, and write the table: ``python -m tools.parity --help``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kubelab
from kubelab.course.catalogue import Lesson, catalogue
from tools.parity.places import ROOT, NotThere, Place, Running, places
from tools.parity.table import Column, spliced, table
from tools.parity.verdicts import Cell, Verdict, judge, together

CELL_SECONDS = 180
NOTEBOOK_SECONDS = 900
FOLDERS = {"notebooks": "the lesson", "solutions": "its tasks"}
README = ROOT / "README.md"


def main() -> int:
    """The command line; exit code 1 when a lesson differs somewhere, or nothing was run."""
    known = places()
    parser = argparse.ArgumentParser(prog="tools.parity", description=__doc__)
    parser.add_argument("--lessons", default="", help="numbers of lessons, 1,2,5; all when left out")
    parser.add_argument(
        "--on", default="", help=f"clusters, of {','.join(each.key for each in known)}; all if left out"
    )
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="so many clusters at once")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what every cell showed, and nbval's words")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    asked = parser.parse_args()
    if asked.readme and asked.lessons:
        parser.error("README.md has the table of all lessons: leave --lessons out")
    lessons = [each for each in catalogue() if not asked.lessons or str(each.number) in asked.lessons.split(",")]
    chosen = [each for each in known if not asked.on or each.key in asked.on.split(",")]
    with tempfile.TemporaryDirectory(prefix="kubelab-parity-") as scratch:
        ground = Path(scratch)
        ground.chmod(0o755)
        with ThreadPoolExecutor(asked.at_once) as pool:
            ends = list(pool.map(lambda place: _on(place, lessons, ground, asked.keep), chosen))
    columns = [end for end in ends if isinstance(end, Column)]
    not_run = {place.head: str(end) for place, end in zip(chosen, ends, strict=True) if isinstance(end, NotThere)}
    not_run |= {each.head: "nobody asked for it" for each in known if each not in chosen}
    titles = {each.number: each.title for each in lessons}
    text = table(titles, columns, date=time.strftime("%Y-%m-%d"), not_run=not_run, version=kubelab.__version__)
    sys.stdout.write(f"{text}\n")
    if asked.readme:
        README.write_text(spliced(README.read_text(), text))
    differs = any(verdict.different for column in columns for verdict in column.verdicts.values())
    return int(differs or not columns)


def _on(place: Place, lessons: Sequence[Lesson], ground: Path, keep: Path | None) -> Column | NotThere:
    """All lessons on one cluster, or why there is none."""
    running = Running(place, ground / place.key)
    try:
        _say(f"{place.head}: coming up")
        running.begin()
        capabilities, lacks = running.can()
        verdicts: dict[int, Verdict] = {}
        for lesson in lessons:
            begin = time.monotonic()
            missing = sorted(lesson.needs - capabilities)
            verdicts[lesson.number] = _lacking(missing, lacks) if missing else _run(running, lesson, keep)
            _say(f"{place.head}: lesson {lesson.number} after {time.monotonic() - begin:.0f} s: "
                 f"{_in_words(verdicts[lesson.number])}")  # fmt: skip
        return Column(place.head, verdicts, running.note)
    except NotThere as reason:
        _say(f"{place.head}: {reason}")
        return reason
    finally:
        running.end()


def _lacking(missing: Sequence[str], lacks: dict[str, str]) -> Verdict:
    reasons = dict.fromkeys(lacks[each] for each in missing if each in lacks)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return Verdict(lacks=f"It lacks {', '.join(missing)}{why}")


def _run(running: Running, lesson: Lesson, keep: Path | None) -> Verdict:
    found = []
    for folder, where in FOLDERS.items():
        for notebook in sorted(ROOT.glob(f"{folder}/{lesson.number:02}-*.ipynb")):
            found.append(judge(_cells(running, notebook, keep), where))
    return together(found)


def _cells(running: Running, notebook: Path, keep: Path | None) -> list[Cell]:
    """Run a notebook as tests/lessons does, with an empty book; a cell that stalls ends the notebook."""
    name = f"{notebook.parent.name}-{notebook.stem}"
    book, lines = running.home / "books" / name, running.home / f"{name}.jsonl"
    argv = ["-m", "pytest", "-p", "tools.parity.cells", f"--parity-cells={lines}", "--nbval", "--nbval-current-env",
            f"--nbval-cell-timeout={CELL_SECONDS}", "--timeout=0", "--color=no", notebook]  # fmt: skip
    try:
        done = running.run(*argv, seconds=NOTEBOOK_SECONDS, KUBELAB_PROGRESS=str(book))
        words = done.stdout + done.stderr
    except NotThere as reason:
        words = str(reason)
    text = lines.read_text() if lines.exists() else ""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        keep.joinpath(f"{running.place.key}-{name}.jsonl").write_text(text)
        keep.joinpath(f"{running.place.key}-{name}.txt").write_text(words)
    cells = [Cell(**json.loads(line)) for line in text.splitlines()]
    wanted = sum(cell["cell_type"] == "code" for cell in json.loads(notebook.read_text())["cells"])
    if len(cells) != wanted:
        last = (words.strip().splitlines() or ["nothing"])[-1]
        cells.append(Cell(f"{len(cells) + 1} and what follows: it was not run", "", False, "", last))
    return cells


def _in_words(verdict: Verdict) -> str:
    if verdict.different:
        return f"different: {'; '.join(verdict.different)}"
    if verdict.lacks:
        return "skipped"
    return f"equal, {len(verdict.skipped)} of {verdict.cells} cells skipped" if verdict.skipped else "equal"


def _say(sentence: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {sentence}\n")


if __name__ == "__main__":
    raise SystemExit(main())
