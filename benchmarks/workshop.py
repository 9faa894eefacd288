"""A workshop of 200 learners on one embedded cluster; ``python -m benchmarks workshop``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import Measure
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.course import catalogue
from kubelab.grading.history import Standing
from kubelab.grading.report import KEY, SLIP, Report, TaskReport
from kubelab.workshop.access import Access, open_cluster
from kubelab.workshop.deleting import delete, doomed
from kubelab.workshop.facts import ask
from kubelab.workshop.handout import Handout
from kubelab.workshop.making import make
from kubelab.workshop.picture import html, text
from kubelab.workshop.plan import Plan
from kubelab.workshop.roster import Learner
from kubelab.workshop.status import look

NAME = "bench-workshop"
LEARNERS = [Learner(f"Learner Number {number}", f"learner-number-{number}") for number in range(200)]
LOOKS = 5


def measures(access: Access, folder: Path) -> Iterator[Measure]:
    plan = Plan("bench")
    yield _created(access, plan, folder, "200 learners: namespaces, rights, kubeconfigs", 60)
    yield _created(access, plan, folder, "the same again: nothing to do", None)
    _everybody_reports(access, plan)
    access.request("GET", "/version")
    seconds = []
    for _ in range(LOOKS):
        begin = time.perf_counter()
        room = look(access, plan.name, datetime.now(UTC))
        lengths = len(text(room)), len(html(room))
        seconds.append(time.perf_counter() - begin)
    detail = f"{len(room.tasks)} tasks; text of {lengths[0] // 1000} kB, HTML of {lengths[1] // 1000} kB"
    yield Measure("status of 200, all done: text and HTML, the slowest", max(seconds), "s", 2, detail=detail)
    begin = time.perf_counter()
    delete(access, doomed(access, plan.name))
    yield Measure("delete, until the last namespace is gone", time.perf_counter() - begin, "s")


def _created(access: Access, plan: Plan, folder: Path, what: str, mark: float | None) -> Measure:
    begin = time.perf_counter()
    made = make(access, plan, ask(access), LEARNERS)
    objects = time.perf_counter() - begin
    given = Handout(folder).give(access, plan, made, 8 * 3600)
    problems = [each.problem for each in (*made, *given) if each.problem]
    if problems:
        raise SystemExit(f"{len(problems)} could not be made, the first: {problems[0]}")
    changes = sum(len(each.changes) for each in made)
    tokens = sum(each.renewed for each in given)
    detail = f"{changes} objects in {objects:.1f} s, {tokens} tokens"
    return Measure(what, time.perf_counter() - begin, "s", mark, detail=detail)


def _everybody_reports(access: Access, plan: Plan) -> None:
    tasks = {task.id: TaskReport(Standing.SOLVED, 3, 2, True) for lesson in catalogue() for task in lesson.tasks}
    report = Report("2026-11-23T12:00:00Z", list(tasks)[-1], tasks, 40, 30).written()

    def one(learner: Learner) -> None:
        path = f"/api/v1/namespaces/{plan.namespace(learner)}/configmaps/{SLIP}"
        slip = access.request("GET", path)
        slip["data"][KEY] = report
        access.request("PUT", path, body=slip)

    access.each(one, LEARNERS)


def main() -> None:
    """Print a line for each measure as it comes."""
    cluster = EmbeddedCluster(NAME)
    try:
        cluster.up()
        with tempfile.TemporaryDirectory() as folder:
            for measure in measures(open_cluster(cluster.kubeconfig), Path(folder)):
                print(measure, flush=True)
    finally:
        cluster.down()
