"""Lesson 2, Services and EndpointSlices: from the selector to the slice to the port, and how each link breaks."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson02_services_and_endpointslices import repair, two_versions
from kubelab.course.lessons.lesson02_services_and_endpointslices.behaviour import SEEN
from kubelab.course.lessons.lesson02_services_and_endpointslices.experiments import client_sees, sick, well
from kubelab.course.lessons.lesson02_services_and_endpointslices.faults import FAULTS
from kubelab.course.lessons.lesson02_services_and_endpointslices.matrix import guess, measure, question, rejected
from kubelab.course.lessons.lesson02_services_and_endpointslices.views import asks, offers

__all__ = ["LESSON", "asks", "client_sees", "guess", "measure", "offers", "rejected", "sick", "well"]


def _seen(id_: str, text: str) -> Question:
    return Question(id_, f"{text}: what does a client see?", options=SEEN)


LESSON = Lesson(
    number=2,
    title="Services and EndpointSlices: the wiring",
    package="lesson02_services_and_endpointslices",
    questions=(
        Question(
            "2.sick",
            "A pod says that it is not ready: what becomes of its address in the slice?",
            options=("stays, as ready", "stays, as not ready", "is taken out"),
        ),
        _seen("2.by-number", "targetPort is a number, and one pod of three listens on another"),
        _seen("2.by-name", "targetPort is the name that all three pods give their port"),
        *(_seen(question(fault), f"{fault} ({row.words})") for fault, row in FAULTS.items()),
        Question(
            "2.rejected",
            "Of the five Services whose clients were refused: how many are refused by the client's own node?",
            high=5,
            unit="of 5 Services",
        ),
        two_versions.QUESTION,
    ),
    tasks=(two_versions.TASK, repair.TASK),
)
