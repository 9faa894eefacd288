"""Run every lesson on every cluster that is there, and write the table: ``python -m tools.parity --help``.

With several clusters at once they take each other's processor; a lesson that differs so is run again when all have
ended, by itself, and the table says both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kubelab
from kubelab.course.catalogue import catalogue
from tools.parity.course import Course
from tools.parity.places import ROOT, NotThere, Running, places
from tools.parity.table import spliced, table

README = ROOT / "README.md"
INTERRUPTED = 130


def main() -> int:
    """The command line; exit code 1 when a lesson differs somewhere, or nothing was run."""
    known = places()
    asked = _asked([each.key for each in known])
    lessons = [each for each in catalogue() if not asked.lessons or str(each.number) in asked.lessons.split(",")]
    chosen = [each for each in known if not asked.on or each.key in asked.on.split(",")]
    with tempfile.TemporaryDirectory(prefix="kubelab-parity-") as scratch:
        ground = Path(scratch)
        ground.chmod(0o755)
        courses = [Course(Running(place, ground / place.key), lessons, asked.keep) for place in chosen]
        try:
            missing = _beside_each_other(courses, asked.at_once)
            for course in courses if asked.at_once > 1 else ():
                for lesson in course.differing:
                    course.take_again(lesson)
        except KeyboardInterrupt:
            sys.stderr.write("kubelab: interrupted; no table was written\n")
            return INTERRUPTED
        finally:
            for course in courses:
                course.running.end()
    columns = [course.column for course in courses if course.running.place.key not in missing]
    not_run = {place.head: missing[place.key] for place in chosen if place.key in missing}
    not_run |= {each.head: "nobody asked for it" for each in known if each not in chosen}
    titles = {each.number: each.title for each in lessons}
    text = table(titles, columns, date=time.strftime("%Y-%m-%d"), not_run=not_run, version=kubelab.__version__)
    sys.stdout.write(f"{text}\n")
    if asked.readme:
        README.write_text(spliced(README.read_text(), text))
    return int(any(course.differing for course in courses) or not columns)


def _asked(keys: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.parity", description=__doc__)
    parser.add_argument("--lessons", default="", help="numbers of lessons, 1,2,5; all when left out")
    parser.add_argument("--on", default="", help=f"clusters, of {','.join(keys)}; all if left out")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="so many clusters at once")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what every cell showed, and nbval's words")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    asked = parser.parse_args()
    if asked.readme and asked.lessons:
        parser.error("README.md has the table of all lessons: leave --lessons out")
    return asked


def _beside_each_other(courses: Sequence[Course], at_once: int) -> dict[str, str]:
    """Run them all; which clusters were not there, by their keys, and why. Those that differ nowhere are taken down."""
    stopped = threading.Event()
    missing: dict[str, str] = {}

    def take(course: Course) -> None:
        try:
            course.take(stopped.is_set)
        except NotThere as reason:
            course.say(str(reason))
            missing[course.running.place.key] = str(reason)
        if not course.differing:
            course.running.end()

    with ThreadPoolExecutor(at_once) as pool:
        try:
            list(pool.map(take, courses))
        except KeyboardInterrupt:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    return missing


if __name__ == "__main__":
    raise SystemExit(main())
