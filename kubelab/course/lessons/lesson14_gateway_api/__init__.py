"""Lesson 14, Gateway API and migration: every field of an Ingress has a place there, and objects say what is wrong."""

from __future__ import annotations

from kubelab.course.catalogue import Brief, Lesson, Question
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import set_up
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.wanted import Wanted
from kubelab.course.lessons.lesson14_gateway_api import canary, faults, migrated, repaired
from kubelab.course.lessons.lesson14_gateway_api.asking import ask, while_asking
from kubelab.course.lessons.lesson14_gateway_api.faults import all_faults, got, measure_faults
from kubelab.course.lessons.lesson14_gateway_api.objects import beside, take_away
from kubelab.course.lessons.lesson14_gateway_api.telling import told
from kubelab.course.lessons.lesson14_gateway_api.weights import sweep
from kubelab.course.seed import Seed
from kubelab.grading import Book

__all__ = [
    "LESSON",
    "all_faults",
    "ask",
    "beside",
    "got",
    "measure_faults",
    "set_up",
    "sweep",
    "take_away",
    "told",
    "wanted",
    "while_asking",
]


def wanted(task: Brief) -> Wanted:
    """The table of task 14.1: who is to answer which request."""
    return {"14.1": migrated.own(Seed(Book().seed())).wanted}[task.task]


LESSON = Lesson(
    number=14,
    title="Gateway API and migration",
    package="lesson14_gateway_api",
    needs=frozenset({"ingress", "gateway api"}),
    questions=(
        *faults.questions(),
        Question(
            "14.not-invited",
            "A route of the shop's namespace asks for the platform's Gateway, and nothing more is said: what does a "
            "client get?",
            options=faults.CODES,
        ),
        Question(
            "14.secret",
            "A listener names a certificate in another namespace, and nothing more is said: what does a client get "
            "over HTTPS?",
            options=faults.CODES,
        ),
        Question(
            "14.precedence",
            "POST /pay with the header x-tester: yes: who answers?",
            options=("shop", "till", "orders", "preview"),
        ),
        Question(
            "14.wildcard",
            "A route for *.books.test: how many of the three hosts does the Gateway answer?",
            high=3,
            unit="of 3 hosts",
        ),
        Question(
            "14.rewrite",
            "The rule for /api rewrites its prefix to /; a client asks for /api/items?page=2: what does the pod read?",
            options=("/api/items?page=2", "/items?page=2", "/items", "/"),
        ),
        Question(
            "14.same",
            "The Ingress translated field by field: how many of the twelve requests get the same answer?",
            high=12,
            unit="of 12 requests",
        ),
        Question(
            "14.cutover",
            "The Ingress is deleted while clients still use its address: what do they get from then on?",
            options=faults.CODES,
        ),
        Question(
            "14.half",
            "Two backends of equal weight, one of which does not exist: which requests get 500?",
            options=("none", "every second", "all"),
        ),
    ),
    tasks=(migrated.TASK, canary.TASK, repaired.TASK),
)
