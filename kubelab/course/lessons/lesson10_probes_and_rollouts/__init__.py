"""Lesson 10, Probes, termination and the rollout: how pods come and go without a failed request."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson10_probes_and_rollouts import long_requests, no_failure, wrong_probe
from kubelab.course.lessons.lesson10_probes_and_rollouts.apps import applied, deployment, http, service, set_up
from kubelab.course.lessons.lesson10_probes_and_rollouts.health import (
    SICK,
    await_ready,
    probe_failures,
    restarted,
    three,
    what_became,
)
from kubelab.course.lessons.lesson10_probes_and_rollouts.rollouts import (
    FATES,
    KEPT,
    NEW,
    address,
    compared,
    easy_rate,
    failures_by_pre_stop,
    fate,
    fresh_client,
    last_answers,
    roll,
    roll_each,
)

__all__ = [
    "FATES",
    "KEPT",
    "LESSON",
    "NEW",
    "address",
    "applied",
    "await_ready",
    "compared",
    "deployment",
    "easy_rate",
    "failures_by_pre_stop",
    "fate",
    "fresh_client",
    "http",
    "last_answers",
    "probe_failures",
    "restarted",
    "roll",
    "roll_each",
    "service",
    "set_up",
    "three",
    "what_became",
]

LESSON = Lesson(
    number=10,
    title="Probes, termination and the rollout",
    package="lesson10_probes_and_rollouts",
    questions=(
        Question("10.ready", "The readiness probe of one pod fails: what becomes of it?", options=SICK),
        Question(
            "10.alive",
            "Three healthy apps, three livenessProbes: how many are restarted?",
            low=0,
            high=3,
            unit="of 3 apps",
        ),
        Question(
            "10.rollout", "Every pod of a healthy app is replaced under load: what do clients get?", options=FATES
        ),
        Question(
            "10.prestop", "The same, and a preStop hook sleeps for five seconds: what do clients get?", options=FATES
        ),
        Question(
            "10.kept",
            "preStop sleeps, then the server ends at once: what do clients get that keep their connections?",
            options=FATES,
        ),
        Question(
            "10.last",
            "All pods of an app are on their way out, and still serve: what does a new connection get?",
            options=("an answer", "an error"),
        ),
    ),
    tasks=(wrong_probe.TASK, no_failure.TASK, long_requests.TASK),
)
