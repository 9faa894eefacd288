"""Lesson 7, the price of ndots:5: how many questions a name costs, and how to pay less."""

from __future__ import annotations

from kubelab.course.catalogue import Lesson, Question
from kubelab.course.lessons.lesson07_the_price_of_ndots import cheap, prices, worked_out
from kubelab.course.lessons.lesson07_the_price_of_ndots.cluster_counters import responses
from kubelab.course.lessons.lesson07_the_price_of_ndots.prices import asked, by_ndots, count, delays, guess, set_up
from kubelab.course.lessons.lesson07_the_price_of_ndots.stage import resolve

__all__ = ["LESSON", "asked", "by_ndots", "count", "delays", "guess", "resolve", "responses", "set_up"]

LESSON = Lesson(
    number=7,
    title="The price of ndots:5",
    package="lesson07_the_price_of_ndots",
    questions=(
        *prices.questions(),
        Question(
            "7.cloud",
            "The search list has a fourth ending, the cloud's: how many questions does api.example.test cost?",
            low=1,
            high=prices.MOST,
            unit="questions",
        ),
        Question(
            "7.one",
            "With ndots:1: how many questions does web.lesson-7 cost?",
            low=0,
            high=prices.MOST,
            unit="questions",
        ),
        worked_out.OUTSIDE,
        worked_out.INSIDE,
    ),
    tasks=(worked_out.TASK, cheap.TASK),
)
