"""Lesson 5, Connections are not requests: why new pods stay idle under kept connections, and what to do about it."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson05_connections_are_not_requests import even_load, reconnecting
from kubelab.course.lessons.lesson05_connections_are_not_requests.memory import remembered
from kubelab.course.lessons.lesson05_connections_are_not_requests.pools import BURDENS, BUSIEST, Pools, busiest

__all__ = ["LESSON", "Pools", "busiest", "remembered"]


LESSON = Lesson(
    number=5,
    title="Connections are not requests",
    package="lesson05_connections_are_not_requests",
    questions=(
        Question(
            "5.one",
            "1,000 requests over one kept connection: how many of the six pods answer?",
            low=1,
            high=6,
            unit="of 6 pods",
        ),
        Question(
            "5.fresh",
            "1,200 requests, each over a new connection: how many does the busiest of the six pods answer?",
            options=tuple(BUSIEST),
        ),
        Question(
            "5.pool",
            "A pool of 50 kept connections to six pods: how much does the busiest pod do in a typical pool?",
            options=tuple(BURDENS),
        ),
        Question(
            "5.scale",
            "Two pods become six while 100 connections stay open: what part of the requests do the four new pods get?",
            low=0,
            high=100,
            unit="% of the requests",
        ),
        Question(
            "5.age",
            "The server lets go of every connection that is older than a second, and two pods become six: "
            "how many of the six answer?",
            low=1,
            high=6,
            unit="of 6 pods",
        ),
        Question(
            "5.turns",
            "A client that knows all six addresses takes turns over them, with connections kept: is that even?",
            options=("even", "not even"),
        ),
        Question(
            reconnecting.QUESTION,
            "A client keeps one connection. Two pods become more, then the client reconnects: how many pods answer it?",
            low=1,
            high=reconnecting.MOST,
            unit="of all pods",
        ),
    ),
    tasks=(reconnecting.TASK, even_load.TASK),
)
