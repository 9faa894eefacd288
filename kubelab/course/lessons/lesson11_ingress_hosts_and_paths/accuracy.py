"""All rows of the specification on the learner's own cluster: predicted, sent as real requests, compared."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.rows import NO, ROWS, YES, Row, words_of
from kubelab.course.predictions import predict
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Matrix, Reply, listed, measure
from kubelab.routing.specification import HOST_ROWS, PATH_ROWS, PathRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

APPS = ("one", "two", "three")
"""Behind the first, the second and the third path of a row."""
PATH_INGRESS, HOST_INGRESS = "path-rows", "host-rows"


@dataclass(frozen=True)
class Checked:
    """One row, and what came of it."""

    row: Row
    predicted: str
    observed: str

    @property
    def as_said(self) -> bool:
        """Whether it came as predicted."""
        return self.predicted == self.observed

    @property
    def as_specified(self) -> bool:
        """Whether it came as the specification wants it."""
        return self.row.specified == self.observed


@dataclass(frozen=True)
class Accuracy:
    """All rows, in the order of the specification."""

    rows: tuple[Checked, ...]

    @property
    def sentence(self) -> str:
        """``15 of 23 came as you said, 23 of 23 as the specification says``."""
        said, specified = (sum(getattr(each, name) for each in self.rows) for name in ("as_said", "as_specified"))
        return f"{said} of {len(self.rows)} came as you said, {specified} of {len(self.rows)} as the specification says"

    @property
    def surprises(self) -> tuple[str, ...]:
        """The rows that did not come as predicted: ``path-4``."""
        return tuple(each.row.id for each in self.rows if not each.as_said)

    def __repr__(self) -> str:
        from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.accuracy_views import text

        return text(self)

    def _repr_html_(self) -> str:
        from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.accuracy_views import html

        return html(self)

    def plot(self) -> Figure:
        """The rows as a picture: what you said, what was answered here, what is specified, who differs."""
        from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.accuracy_views import draw

        return draw(self)


def measure_rows(lab: Lab) -> Accuracy:
    """Apply the rules of every row and send its requests. Raises `PredictFirst` when a row was not predicted."""
    with ExitStack() as predicted:
        for row in ROWS:
            predicted.enter_context(predict.first(row.question))
        stage.set_up(lab, *APPS)
        observed = {**_paths(lab), **_hosts(lab)}
        return Accuracy(tuple(_checked(row, observed[row.id]) for row in ROWS))


def _checked(row: Row, observed: str) -> Checked:
    return Checked(row, str(predict.compare(row.question, observed).predicted), observed)


def _paths(lab: Lab) -> dict[str, str]:
    """Every row has a host of its own, so that the rows do not meet. Row's id → what was seen."""
    rules = [
        stage.rule(
            _host(row), [stage.path(path.kind, path.value, app) for path, app in zip(row.paths, APPS, strict=False)]
        )
        for row in PATH_ROWS
    ]
    lab.apply(stage.ingress(PATH_INGRESS, rules))
    lab.wait(f"ingress/{PATH_INGRESS}", "answers")
    matrix = measure(lab, listed([f"http://{_host(row)}{path}" for row in PATH_ROWS for path in row.requests]), {})
    replies = _by_url(matrix)
    lab.delete(f"ingress/{PATH_INGRESS}")
    return {
        f"path-{row.number}": _together(
            _path_words(row, replies[f"http://{_host(row)}{path}"]) for path in row.requests
        )
        for row in PATH_ROWS
    }


def _hosts(lab: Lab) -> dict[str, str]:
    """One rule after the other: side by side they would answer each other's requests."""
    found = {}
    for pattern in dict.fromkeys(row.pattern for row in HOST_ROWS):
        lab.apply(stage.ingress(HOST_INGRESS, [stage.rule(pattern, [stage.path("Prefix", "/", APPS[0])])]))
        lab.wait(f"ingress/{HOST_INGRESS}", "answers")
        its = {number: row for number, row in enumerate(HOST_ROWS, 1) if row.pattern == pattern}
        replies = _by_url(measure(lab, listed([f"http://{row.host}/" for row in its.values()]), {}))
        for number, row in its.items():
            found[f"host-{number}"] = _host_words(replies[f"http://{row.host}/"])
    lab.delete(f"ingress/{HOST_INGRESS}")
    measure(lab, listed(["http://any.thing/"]), {})  # until the rule without host answers nobody any more
    return found


def _host(row: PathRow) -> str:
    return f"row-{row.number}.example.test"


def _by_url(matrix: Matrix) -> dict[str, Reply]:
    return {cell.url: cell.reply for cell in matrix.cells.values()}


def _path_words(row: PathRow, reply: Reply) -> str:
    if reply.code == 404:
        return NO
    path = dict(zip(APPS, row.paths, strict=False)).get(reply.workload)
    return words_of(row, path) if path else reply.words


def _host_words(reply: Reply) -> str:
    return YES if reply.workload == APPS[0] else NO if reply.code == 404 else reply.words


def _together(seen: Iterable[str]) -> str:
    return ", then ".join(dict.fromkeys(seen))
