"""What became of a notebook's cells, and of a lesson: equal, skipped with the reason, or different.

A cell is skipped when what it shows says so (`kubelab.clusters.base.SKIPPED`: something was not done because the
cluster lacks it), or when it fails and asks for a name that a skipped cell would have set. Everything else that differs
is different, whatever it may be due to. What differs while other clusters run on the same machine is run again by
itself: that run counts, and the table says so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kubelab.clusters.base import SKIPPED

_REASON = re.compile(rf"(?:^|[\s:'\"(>]){SKIPPED.strip()}\s+(?P<why>[^\n]+)", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A cell that was run."""

    id: str
    source: str
    passed: bool
    """What it shows is what is stored, or is not compared."""
    shown: str
    failure: str = ""


@dataclass(frozen=True)
class Verdict:
    """On a notebook, or on the notebooks of a lesson."""

    cells: int = 0
    skipped: tuple[str, ...] = ()
    """The reasons, one for each skipped cell; empty where a cell was skipped for want of another's result."""
    different: tuple[str, ...] = ()
    """Which cells differ: ``solutions, check-2-1``."""
    lacks: str = ""
    """Why nothing was run."""
    beside_others: tuple[str, ...] = ()
    """Which cells differed while other clusters ran, and not by themselves."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The different reasons, in their order."""
        return tuple(dict.fromkeys([*([self.lacks] if self.lacks else []), *filter(None, self.skipped)]))


def judge(cells: Iterable[Cell], where: str) -> Verdict:
    """The verdict on a notebook, from its cells in their order. ``where`` names it."""
    lost: set[str] = set()
    skipped: list[str] = []
    different: list[str] = []
    count = 0
    for cell in cells:
        count += 1
        reads, sets = names(cell.source)
        reason = skipping(cell)
        if reason or (not cell.passed and reads & lost):
            skipped.append(reason)
            # A cell that was broken off has set nothing; one that shows its reason has gone on to its end.
            lost |= sets if not cell.passed else set()
            continue
        lost -= sets
        if not cell.passed:
            different.append(f"{where}, cell {cell.id}")
    if not count:
        different.append(f"{where}, which did not run")
    return Verdict(count, tuple(skipped), tuple(different))


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on several notebooks."""
    return Verdict(
        sum(each.cells for each in verdicts),
        tuple(reason for each in verdicts for reason in each.skipped),
        tuple(cell for each in verdicts for cell in each.different),
        next((each.lacks for each in verdicts if each.lacks), ""),
    )


def settled(beside_others: Verdict, alone: Verdict) -> Verdict:
    """The verdict on a lesson that differed beside other clusters and was run again by itself."""
    return alone if alone.different else replace(alone, beside_others=beside_others.different)


def skipping(cell: Cell) -> str:
    """Why a cell was skipped; empty: it was not."""
    found = _REASON.search(cell.shown)
    return found["why"].strip().rstrip("'\"") if found else ""


def names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell reads, and those that it sets."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set(), set()  # a magic command
    reads, sets = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (reads if isinstance(node.ctx, ast.Load) else sets).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            sets.add(node.name)
        elif isinstance(node, ast.alias):
            sets.add((node.asname or node.name).partition(".")[0])
    return reads, sets
