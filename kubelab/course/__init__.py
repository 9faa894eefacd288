"""The course: lessons with their questions, tasks and checks."""

from __future__ import annotations

from kubelab.course.beginning import connect
from kubelab.course.catalogue import catalogue, lesson
from kubelab.course.overview import progress
from kubelab.course.predictions import PredictFirst, predict
from kubelab.course.tasks import brief, check, hint, solution, start

__all__ = [
    "PredictFirst",
    "brief",
    "catalogue",
    "check",
    "connect",
    "hint",
    "lesson",
    "predict",
    "progress",
    "solution",
    "start",
]
