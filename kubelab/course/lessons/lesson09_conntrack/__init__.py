"""Lesson 9, conntrack, memory in the network: what a node remembers of a connection, and when it is wrong."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson09_conntrack import one_port, stuck
from kubelab.course.lessons.lesson09_conntrack.memory import compared, entry, flows, fullness, seen_as, what_became
from kubelab.course.lessons.lesson09_conntrack.one_port import await_answers

__all__ = ["LESSON", "await_answers", "compared", "entry", "flows", "fullness", "seen_as", "what_became"]

LESSON = Lesson(
    number=9,
    title="conntrack: memory in the network",
    package="lesson09_conntrack",
    questions=(
        Question(
            "9.tcp",
            "A client keeps one TCP connection, and the Service loses all its endpoints: what becomes of the requests?",
            options=("the same pod answers", "another pod answers", "nobody answers"),
        ),
        Question(
            "9.hairpin",
            "A pod calls its own Service and is picked itself: whose address does it see as the client's?",
            options=("its own address", "the Service's address", "its node's address"),
        ),
        Question(
            "9.affinity",
            "sessionAffinity: ClientIP, 60 connections from one client: how many of the three pods answer?",
            low=1,
            high=3,
            unit="of 3 pods",
        ),
        Question(
            "9.udp",
            "A UDP client keeps its port, and the pod that answers it is deleted: what becomes of the client?",
            options=("no gap of 5 s", "a gap of 5 s or more", "never answered again"),
        ),
        Question(
            "9.zero",
            "All endpoints of a UDP Service are gone: what becomes of the entry to the last pod?",
            options=("it is deleted", "it stays"),
        ),
        Question(
            one_port.QUESTION,
            "A UDP client keeps its port, and the pod that answers it is deleted: how many pods answer it in all?",
            low=1,
            high=3,
            unit="pods",
        ),
    ),
    tasks=(one_port.TASK, stuck.TASK),
)
