"""Pictures of what look-ups cost. Every colour has a shape or a label beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubelab.course.lessons.lesson07_the_price_of_ndots.prices import NAMES, Delays, Prices
from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DASHES = ("-", "--", "-.", ":", (0, (5, 1)))


def draw_prices(prices: Prices) -> Figure:
    """Two bars a name: hollow what was predicted, filled what was counted."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.52 * len(NAMES)), layout="constrained")
    for row, key in enumerate(NAMES):
        said, counted = prices.predicted[key], prices.counted[key]
        colour = palette.GOOD if said == counted else palette.BAD
        axes.barh(row - 0.2, said, height=0.34, facecolor="none", edgecolor=palette.QUIET, hatch="//")
        axes.barh(row + 0.2, counted, height=0.34, color=palette.COLOURS[0])
        axes.annotate(f" {said} {'✔' if said == counted else '✖'}", (said, row - 0.2), va="center", color=colour)
        axes.annotate(f" {counted}", (counted, row + 0.2), va="center", color="black")
    axes.set_yticks(range(len(NAMES)), list(NAMES.values()))
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("questions for one look-up (hatched: you said, filled: counted)")
    axes.spines[["top", "right"]].set_visible(False)
    plt.close(figure)
    return figure


def draw_delays(delays: Delays) -> Figure:
    """One curve a name and a resolver: the share of look-ups that were done by then."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 3.8), layout="constrained")
    for index, (what, seconds) in enumerate(delays.seconds.items()):
        milliseconds = [each * 1000 for each in seconds]
        colour = palette.nth(palette.COLOURS, index)
        axes.ecdf(milliseconds, label=what, color=colour, linestyle=_DASHES[index % len(_DASHES)], linewidth=2)
    axes.set_xlim(0, _right_edge(delays))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("milliseconds for one look-up")
    axes.set_ylabel("share done")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    plt.close(figure)
    return figure


def _right_edge(delays: Delays) -> float:
    """All but the slowest few: one look-up that was held up must not press the others into a corner."""
    slow = [sorted(seconds)[int(0.95 * (len(seconds) - 1))] for seconds in delays.seconds.values()]
    return 1.25 * 1000 * max(slow)
