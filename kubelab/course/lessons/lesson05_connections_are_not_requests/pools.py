"""How even is a pool of k connections? As even as k picks are."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kubelab.lab import palette
from kubelab.lab.errors import LabError
from kubelab.lab.traffic import Traffic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = (1, 2, 3, 6, 12, 25, 50, 100, 200, 400)
"""Connections in a pool."""
BURDENS = {
    "about its even share": 1.1,
    "about a tenth more": 1.2,
    "about half as much again": 1.8,
    "twice its even share, or more": float("inf"),
}
"""In words, up to which multiple of the even share. Of pools of 50 over six pods, the median of 24 is between 1.3 and
1.65 in all but a few of ten thousand runs."""
BUSIEST = {"about 200": 300, "about 400": 500, "about 600": 900, "all 1,200": 1200}
"""In words, up to how many of 1,200 requests. With six pods and even luck more than 300 is next to impossible."""
CHANCE_DRAWS = 2000


def busiest(traffic: Traffic) -> str:
    """How many of 1,200 requests the busiest pod answered, in the words of `BUSIEST`."""
    return _in_words(max(traffic.counts.values(), default=0), BUSIEST)


def burden(picks: Sequence[str], pods: int) -> float:
    """What the busiest pod gets, as a multiple of the even share, when every pick brings equally many requests."""
    return max(Counter(picks).values()) * pods / len(picks)


class Pools:
    """Real connections, each opened by itself, cut into pools of every size: the first k are one pool, and so on.

    kube-proxy picks for each connection anew and knows nothing of pools, so any k of them are a pool.
    """

    def __init__(self, traffic: Traffic, pods: int) -> None:
        self.picks = [answer.pod for answer in traffic.answers if answer.ok]
        self.pods = pods
        if len(self.picks) < SIZES[-1]:
            raise LabError(f"{len(self.picks)} connections are too few; send at least {SIZES[-1]}, each over its own.")

    def of(self, size: int) -> list[float]:
        """The burden of the busiest pod, in every pool of this size."""
        whole = range(0, len(self.picks) - size + 1, size)
        return [burden(self.picks[begin : begin + size], self.pods) for begin in whole]

    def typical(self, size: int) -> str:
        """What the busiest pod does in the middle one of all pools of a size, in the words of `BURDENS`."""
        return _in_words(statistics.median(self.of(size)), BURDENS)

    def plot(self) -> Figure:
        """A picture: how the busiest pod's burden falls with the size of the pool, measured and by chance alone."""
        import matplotlib.pyplot as plt

        figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
        chance = [_by_chance(size, self.pods) for size in SIZES]
        axes.fill_between(
            SIZES, [low for low, _ in chance], [high for _, high in chance], color=palette.QUIET, alpha=0.3, linewidth=0
        )
        for size in SIZES:
            measured = self.of(size)
            axes.plot([size] * len(measured), measured, linestyle="", marker="o", alpha=0.25, color=palette.COLOURS[0])
        medians = [statistics.median(self.of(size)) for size in SIZES]
        axes.plot(SIZES, medians, marker="s", markeredgecolor="white", color=palette.COLOURS[5], zorder=3)
        axes.axhline(1, color="black", linestyle=":", linewidth=1)
        axes.annotate("even share", (SIZES[-1], 1), xytext=(0, -4), textcoords="offset points", ha="right", va="top")
        axes.annotate("one pod does it all", (SIZES[0], self.pods), xytext=(0, 9), textcoords="offset points")
        fifty = statistics.median(self.of(50))
        arrow = {"arrowstyle": "->"}
        axes.annotate(
            f"{fifty:.1f} ×", (50, fifty), xytext=(0, 50), textcoords="offset points", ha="center", arrowprops=arrow
        )
        axes.set_xscale("log")
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.minorticks_off()
        axes.set_ylim(0.5, self.pods + 0.8)
        axes.set_xlabel("connections in the pool")
        axes.set_ylabel("busiest pod ÷ even share")
        axes.legend(handles=_legend(), loc="upper right", frameon=False, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        plt.close(figure)
        return figure

    def __repr__(self) -> str:
        return f"Pools({len(self.picks)} connections to {self.pods} pods, cut into pools of {SIZES[0]} to {SIZES[-1]})"


def _by_chance(size: int, pods: int) -> tuple[float, float]:
    """The range of nine pools in ten if every pick is luck; drawn from fixed random numbers."""
    draw = random.Random(size)
    burdens = sorted(
        burden([str(draw.randrange(pods)) for _ in range(size)], pods)
        for _ in range(CHANCE_DRAWS // max(1, size // 50))
    )
    return burdens[len(burdens) // 20], burdens[-1 - len(burdens) // 20]


def _legend() -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], linestyle="", marker="o", alpha=0.4, color=palette.COLOURS[0], label="a pool, measured"),
        Line2D([], [], marker="s", color=palette.COLOURS[5], label="the pool in the middle"),
        Patch(facecolor=palette.QUIET, alpha=0.3, label="nine in ten, by chance alone"),
    ]


def _in_words(value: float, limits: dict[str, float] | dict[str, int]) -> str:
    return next(words for words, limit in limits.items() if value <= limit)
