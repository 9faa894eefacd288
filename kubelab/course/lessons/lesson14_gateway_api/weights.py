"""The weights of a route from 0 to 100 %: what share of the requests comes to the new version at each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kubelab.course.lessons.lesson14_gateway_api.intervals import Interval, binomial
from kubelab.course.lessons.lesson14_gateway_api.objects import http_route, rule
from kubelab.lab import palette
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Requests
from kubelab.lab.statistics import FALSE_ALARM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WEIGHTS = (0, 5, 10, 25, 50, 75, 100)
REQUESTS = 400
MARK = "x-weight"
"""A response header with the weight that an answer was given by: so no request of the weight before is counted."""
SERVED_SECONDS = 10


class Point(NamedTuple):
    """One weight."""

    weight: int
    """Of the new version, in percent."""
    came: int
    """Requests that the new version answered."""
    others: int
    """Requests that neither version answered."""
    interval: Interval

    @property
    def as_weighted(self) -> bool:
        """Whether chance explains the distance from the weight."""
        return not self.others and self.came in self.interval


@dataclass(frozen=True)
class Sweep:
    """All weights, ``n`` requests at each. Shown without counts, which are chance."""

    new: str
    n: int
    points: tuple[Point, ...]

    def __bool__(self) -> bool:
        return all(point.as_weighted for point in self.points)

    def __repr__(self) -> str:
        good = sum(point.as_weighted for point in self.points)
        weights = ", ".join(f"{point.weight}" for point in self.points)
        return (
            f"Sweep({self.new} at {weights} %: {good} of {len(self.points)} shares as weighted; "
            "a false alarm once in 1000 sweeps)"
        )

    def plot(self) -> Figure:
        """A picture: each share at its weight, and how far chance may carry it."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
        weights = [point.weight for point in self.points]
        axes.plot([0, 100], [0, 100], color=palette.QUIET, linewidth=1, linestyle=":", label="share = weight")
        low, high = ([100 * getattr(point.interval, end) / self.n for point in self.points] for end in ("low", "high"))
        axes.vlines(weights, low, high, color=palette.COLOURS[0], linewidth=7, alpha=0.3, label="how far chance goes")
        for good, colour, marker, label in (
            (True, palette.COLOURS[0], "o", "measured"),
            (False, palette.BAD, "X", "measured, and not by chance"),
        ):
            found = [point for point in self.points if point.as_weighted is good]
            if found:
                shares = [100 * point.came / self.n for point in found]
                axes.plot(
                    [point.weight for point in found], shares, color=colour, marker=marker, linestyle="", label=label
                )
        axes.set_xlabel(f"weight of {self.new} in the HTTPRoute, %")
        axes.set_ylabel(f"share of {self.n} requests, %")
        axes.set_xticks(weights, map(str, weights))
        axes.grid(axis="y", linewidth=0.4)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper left")
        plt.close(figure)
        return figure


def sweep(lab: Lab, host: str, old: str, new: str, gateway: str = "edge", weights: Sequence[int] = WEIGHTS) -> Sweep:
    """Apply the HTTPRoute ``sweep`` with each weight of ``new`` in turn, and send `REQUESTS` requests.

    Raises `LabError`.
    """
    drawn = sum(0 < weight < 100 for weight in weights)
    points = []
    for weight in weights:
        replies = _at(lab, f"http://{host}/", old, new, gateway, weight)
        count = replies.counts.get(new, 0)
        others = len(replies) - count - replies.counts.get(old, 0)
        points.append(Point(weight, count, others, binomial(len(replies), weight / 100, FALSE_ALARM / drawn)))
    return Sweep(new, REQUESTS, tuple(points))


def _at(lab: Lab, url: str, old: str, new: str, gateway: str, weight: int) -> Requests:
    marked = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": MARK, "value": str(weight)}]},
    }
    host = url.split("/")[2]
    shares = rule({old: 100 - weight, new: weight}, filters=[marked])
    lab.apply(http_route("sweep", {"name": gateway}, [host], shares))

    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        replies = lab.requests(url, n=REQUESTS, keep=True, via=f"gateway/{gateway}")
        if all(reply.headers.get(MARK) == str(weight) for reply in replies):
            return replies
        if time.monotonic() > deadline:
            raise LabError(f"The weight {weight} is not served after {SERVED_SECONDS} s; {replies.words}.")
