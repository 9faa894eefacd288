"""Lesson 6, DNS: the shapes of answers, and the file that turns a short name into questions."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson06_dns import lost, peers
from kubelab.course.lessons.lesson06_dns.lost import finds
from kubelab.course.lessons.lesson06_dns.resolvers import name_server, resolvers
from kubelab.course.lessons.lesson06_dns.rows import ROWS
from kubelab.course.lessons.lesson06_dns.shapes import guess, look_up, set_up, settled, shapes

__all__ = ["LESSON", "finds", "guess", "look_up", "name_server", "resolvers", "set_up", "settled", "shapes"]

LESSON = Lesson(
    number=6,
    title="DNS: shapes and resolv.conf",
    package="lesson06_dns",
    questions=(
        *(row.question for row in ROWS),
        Question(
            "6.sick",
            "One of three pods says that it is not ready: how many addresses does the headless Service's name have?",
            high=3,
            unit="of 3 addresses",
        ),
        Question(
            "6.policy",
            "A pod says nothing about DNS: which dnsPolicy does it get?",
            options=("Default", "ClusterFirst", "ClusterFirstWithHostNet", "None"),
        ),
        Question(
            "6.tries",
            "A pod asks for kubernetes.default: how many full names are tried until one is found?",
            low=1,
            high=4,
            unit="of 4 names",
        ),
    ),
    tasks=(lost.TASK, peers.TASK),
)
