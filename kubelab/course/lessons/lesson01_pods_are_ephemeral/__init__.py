"""Lesson 1, Pods are ephemeral: why a client must not hold a pod's IP, and what to hold instead."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson01_pods_are_ephemeral import scaling, survival
from kubelab.course.lessons.lesson01_pods_are_ephemeral.experiments import crash
from kubelab.lab.lifelines import FATES

__all__ = ["LESSON", "crash"]


def _how_many(id_: str, text: str) -> Question:
    return Question(id_, text, low=0, high=3, unit="of 3 pod IPs")


LESSON = Lesson(
    number=1,
    title="Pods are ephemeral",
    package="lesson01_pods_are_ephemeral",
    questions=(
        _how_many("1.restart", "Every container crashes and is started again: how many pod IPs stay?"),
        _how_many("1.delete", "All three pods are deleted and replaced: how many pod IPs stay?"),
        _how_many("1.rollout", "A new version is rolled out: how many pod IPs stay?"),
        Question(
            "1.pinned",
            "A client knows one pod's IP, and that pod is deleted: what happens to its requests?",
            options=FATES[:3],
        ),
        Question(
            "1.service",
            "A client knows a Service's name, and all pods are replaced: what happens to its requests?",
            options=FATES[:3],
        ),
        _how_many(scaling.QUESTION, "Three pods are scaled down to one and up to three again: how many pod IPs stay?"),
    ),
    tasks=(scaling.TASK, survival.TASK),
)
