"""Matplotlib pictures of shares: who gets which part of the requests, over time."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from kubelab.lab import palette
from kubelab.lab.pods import natural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kubelab.lab.shares import SharesOverTime

BIN_SECONDS = 0.25
LABEL_PERCENT = 4.0
"""A band that is thinner has no room for its name."""


def draw_shares(shares: SharesOverTime) -> Figure:
    """Each pod's part of the answers, stacked to 100 %; events as grey bands; beside it who ended with which part."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    moments, bands = stacked(shares)
    floor = [0.0] * len(moments)
    for index, (pod, heights) in enumerate(bands.items()):
        ceiling = [low + height for low, height in zip(floor, heights, strict=True)]
        axes.fill_between(
            moments,
            floor,
            ceiling,
            step="post",
            facecolor=palette.nth(palette.COLOURS, index),
            hatch=palette.nth(palette.HATCHES, index),
            edgecolor="white",
            linewidth=0.5,
        )
        if heights and heights[-1] >= LABEL_PERCENT:
            axes.annotate(f" {pod}", (moments[-1], floor[-1] + heights[-1] / 2), va="center", annotation_clip=False)
        floor = ceiling
    _mark_events(axes, shares)
    _name_the_idle(axes, shares)
    axes.set_xlim(0, moments[-1] if moments else 1)
    axes.set_ylim(0, 100)
    axes.set_xlabel("seconds")
    axes.set_ylabel("% of the answers")
    axes.spines[["top", "right"]].set_visible(False)
    plt.close(figure)
    return figure


def stacked(shares: SharesOverTime) -> tuple[list[float], dict[str, list[float]]]:
    """The moments at which bins begin (and the end of the last), and each pod's percentage from each of them on.

    Bins begin anew where an event begins or ends, so that none mixes before with after. A bin without an answer is
    drawn like the one before it.
    """
    answers = [answer for answer in shares.traffic.answers if answer.ok and answer.pod]
    moments = _edges(shares, max((answer.at for answer in answers), default=0.0))
    bins: list[Counter[str]] = [Counter() for _ in moments[1:]]
    for answer in answers:
        bins[min(bisect_left(moments, answer.at, 1), len(bins)) - 1][answer.pod] += 1
    bands: dict[str, list[float]] = {pod: [] for pod in sorted({answer.pod for answer in answers}, key=natural)}
    for pod, heights in bands.items():
        for counted in bins:
            heights.append(100 * counted[pod] / counted.total() if counted else (heights or [0.0])[-1])
        heights.append(heights[-1])
    return moments, bands


def _edges(shares: SharesOverTime, end: float) -> list[float]:
    cuts = sorted({0.0, end, *(moment for _, *span in shares.events for moment in span)})
    edges = [0.0]
    for began, ended in pairwise(cuts):
        pieces = max(1, round((ended - began) / BIN_SECONDS))
        edges += [began + (ended - began) * piece / pieces for piece in range(1, pieces + 1)]
    return edges


def _mark_events(axes: Axes, shares: SharesOverTime) -> None:
    for name, began, ended in shares.events:
        axes.axvspan(began, ended, facecolor="white", alpha=0.6, linewidth=0)
        for moment in (began, ended):
            axes.axvline(moment, color="black", linewidth=1)
        axes.annotate(
            name, (began, 1.02), xycoords=("data", "axes fraction"), va="bottom", annotation_clip=False, fontsize=9
        )


def _name_the_idle(axes: Axes, shares: SharesOverTime) -> None:
    """Below the axis: pods that were ready and never got anything; they have no band to stand beside."""
    busy = set(shares.traffic.pods)
    idle = [pod for pod in (shares.phases[-1].ready if shares.phases else ()) if pod not in busy]
    if idle:
        axes.annotate(
            f"ready, and never asked: {', '.join(idle)}",
            (1.0, -0.2),
            xycoords="axes fraction",
            ha="right",
            fontsize=9,
        )
