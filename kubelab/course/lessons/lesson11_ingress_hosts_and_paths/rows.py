"""The two tables of the Ingress specification as questions: 18 rows about paths, 5 about hosts.

https://kubernetes.io/docs/concepts/services-networking/ingress/#examples and #hostname-wildcards (1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubelab.grading import Book
from kubelab.routing.model import PathMatch
from kubelab.routing.specification import HOST_ROWS, PATH_ROWS, HostRow, PathRow

YES, NO = "yes", "no"
NO_HOST = "(no host)"

ELSEWHERE: Mapping[str, str] = {
    "path-5": "ingress-nginx: 301 to /foo/",
    "path-7": "ingress-nginx: 301 to /foo/ for /foo",
    "path-10": "ingress-nginx: 301 to /aaa/bbb/",
    "host-2": "cloud-provider-kind: yes",
}
"""Controllers that are known to answer otherwise: ingress-nginx adds a missing slash
(https://kubernetes.io/blog/2026/02/27/ingress-nginx-before-you-migrate/); cloud-provider-kind translates to the
Gateway API, whose wildcard stands for one label or more, and leaves that case out of its conformance run
(https://github.com/kubernetes-sigs/cloud-provider-kind, .github/workflows/ingress.yml)."""


@dataclass(frozen=True)
class Row:
    """One row: a rule, a request, and what the specification says of the two."""

    id: str
    """``path-14``, ``host-2``."""
    rule: str
    request: str
    specified: str
    """``yes`` or ``no``; where a row has several paths, the one that wins."""
    options: tuple[str, ...]

    @property
    def question(self) -> str:
        """The id under which it is predicted."""
        return f"11.{self.id}"

    @property
    def text(self) -> str:
        """The question in words."""
        what = "is it answered by the rule's Service" if self.options == (YES, NO) else "which path answers"
        return f"{self.rule}; the request is {self.request}: {what}?"


def words_of(row: PathRow, path: PathMatch | None) -> str:
    """How the answer is said that this path of the row gives; None: no path does."""
    if path is None:
        return NO
    if len(row.paths) == 1:
        return YES
    return path.kind if len({each.value for each in row.paths}) == 1 else path.value


def _path_row(row: PathRow) -> Row:
    options = (YES, NO) if len(row.paths) == 1 else (*(words_of(row, path) for path in row.paths), NO)
    return Row(f"path-{row.number}", _rule(row), " and ".join(row.requests), words_of(row, row.winner), options)


def _rule(row: PathRow) -> str:
    kinds = {path.kind for path in row.paths}
    if len(kinds) == 1:
        return f"{kinds.pop()} {', '.join(path.value for path in row.paths)}"
    return ", ".join(f"{path.kind} {path.value}" for path in row.paths)


def _host_row(number: int, row: HostRow) -> Row:
    answer = YES if row.matches else NO
    return Row(f"host-{number}", f"host {row.pattern}" if row.pattern else NO_HOST, row.host, answer, (YES, NO))


PATHS: Mapping[int, Row] = {row.number: _path_row(row) for row in PATH_ROWS}
HOSTS: Mapping[int, Row] = {number: _host_row(number, row) for number, row in enumerate(HOST_ROWS, 1)}
ROWS: tuple[Row, ...] = (*PATHS.values(), *HOSTS.values())

HEADS = ("row", "rule", "request")
_HASTY = {"path-3": NO, "path-17": NO, "host-5": NO}
"""Whoever guessed first takes /foo and /foo/ for the same, a prefix for a prefix, and the first rule for the best."""


def form() -> dict[str, Any]:
    """What a `PredictionForm` asks: every row. Marked is what was predicted last, else what somebody said in haste."""
    last = ((row, Book().last("prediction", row.question)) for row in ROWS)
    return {
        "rows": [(row.question, (row.id.replace("-", " "), row.rule, row.request), row.options) for row in ROWS],
        "heads": HEADS,
        "chosen": {row.question: said or _HASTY.get(row.id, row.options[0]) for row, said in last},
    }
