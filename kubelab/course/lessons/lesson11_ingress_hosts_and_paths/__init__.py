"""Lesson 11, Ingress, hosts and paths: which request is whose, by one rule of the specification after the other."""

from __future__ import annotations

from kubelab.course.catalogue import Brief, Lesson, Question
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage, three_faults, twelve
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.accuracy import measure_rows
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.dry_runs import dry_run
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.rows import ROWS
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.rows import form as all_rows
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.stage import move_in, move_out, set_up
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.views import (
    THE_CLIENT,
    THE_PROXY,
    arrived,
    reports,
    services,
)
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.wanted import Wanted
from kubelab.course.seed import Seed
from kubelab.grading import Book

__all__ = [
    "FORGED",
    "LESSON",
    "all_rows",
    "arrived",
    "dry_run",
    "measure_rows",
    "move_in",
    "move_out",
    "reports",
    "services",
    "set_up",
    "wanted",
]

FORGED = "203.0.113.9"
"""An address of a documentation range (RFC 5737)."""
_GETS = ("the app's answer", "404", "503", "refused")


def wanted(task: Brief) -> Wanted:
    """The table of a graded task: who is to answer which request."""
    seed = Seed(Book().seed())
    return {"11.1": twelve.own(seed).wanted, "11.2": three_faults.own(seed).wanted}[task.task]


LESSON = Lesson(
    number=11,
    title="Ingress: hosts and paths",
    package=stage.PACKAGE,
    needs=frozenset({"ingress"}),
    questions=(
        Question(
            "11.peer",
            "A request comes in by the ingress: who has opened the connection that the server sees?",
            options=(THE_CLIENT, THE_PROXY, "a node"),
        ),
        Question(
            "11.forged",
            f"A client sends X-Forwarded-For: {FORGED} of its own: what does the server read there?",
            options=(FORGED, THE_CLIENT, "both"),
        ),
        Question("11.class", "An Ingress of a class that nobody here serves: what does a client get?", options=_GETS),
        Question(
            "11.unset",
            "The line ingressClassName is taken out of an Ingress that is served: what does a client get?",
            options=_GETS,
        ),
        *(Question(row.question, row.text, options=row.options) for row in ROWS),
        Question("11.gone", "There is no such Service: what does a client get from this controller?", options=_GETS),
        Question(
            "11.status",
            "Where does an Ingress say that its backend does not exist?",
            options=("in its status", "it has no address", "nowhere in the Ingress"),
        ),
        Question(
            "11.twice",
            "Two namespaces claim the same path of the same host: who answers?",
            options=("the older Ingress", "the newer Ingress", "both, in turn", "the second cannot be created"),
        ),
        Question(
            "11.typo",
            "A client mistypes the host, and next door there is a rule without host: what does it get?",
            options=("the shop", "next door's app", "404"),
        ),
        Question("11.headless", "The Ingress leads to a headless Service: what does a client get?", options=_GETS),
        Question(
            "11.spread", "One kept connection, 100 requests: how many of the 10 pods answer?", 1, 10, unit="of 10 pods"
        ),
    ),
    tasks=(twelve.TASK, three_faults.TASK),
)
