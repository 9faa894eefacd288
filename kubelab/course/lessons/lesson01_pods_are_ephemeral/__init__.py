"""Lesson 1, Pods are ephemeral: why a client must not hold a pod's IP, and what to hold instead."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson01_pods_are_ephemeral import scaling, survival
from kubelab.course.lessons.lesson01_pods_are_ephemeral.experiments import crash

__all__ = ["LESSON", "crash"]

LESSON = Lesson(
    number=1,
    title="Pods are ephemeral",
    package="lesson01_pods_are_ephemeral",
    questions=(
        Question(
            "1.restart",
            "Every container crashes and is started again: how many pod IPs stay?",
            0,
            3,
            (),
            "of 3 pod IPs",
        ),
        Question(
            "1.delete", "All three pods are deleted and replaced: how many pod IPs stay?", 0, 3, (), "of 3 pod IPs"
        ),
        Question("1.rollout", "A new version is rolled out: how many pod IPs stay?", 0, 3, (), "of 3 pod IPs"),
        Question(
            "1.pinned",
            "A client knows one pod's IP, and that pod is deleted: what happens to its requests?",
            options=("all are answered", "some fail, then they are answered again", "none is answered any more"),
        ),
        Question(
            "1.service",
            "A client knows a Service's name, and all pods are replaced: what happens to its requests?",
            options=("all are answered", "some fail, then they are answered again", "none is answered any more"),
        ),
        scaling.QUESTION,
    ),
    tasks=(scaling.TASK, survival.TASK),
)
