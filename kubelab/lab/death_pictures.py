"""The picture of a pod's end: who saw what, on one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubelab.lab import palette
from kubelab.lab.deaths import FAILED, LAST_ANSWER, LEAD_SECONDS, TAIL_SECONDS
from kubelab.lab.witnesses import DELETED, ENDED, GONE, RULE_GONE, SIGTERM, TERMINATING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kubelab.lab.deaths import Death

ROWS = (
    ("told to end", ((DELETED, "asked to go"), (SIGTERM, "SIGTERM"), (ENDED, "ended"), (GONE, "gone"))),
    ("taken out of the way", ((TERMINATING, "terminating"), (RULE_GONE, "rule gone"))),
)
"""The two chains."""
NEAR = 0.16
"""Labels nearer than this part of the axis are written below each other."""


def draw_death(death: Death) -> Figure:
    """The two chains that begin with the deletion, and below them what the clients got."""
    import matplotlib.pyplot as plt

    last = max(death.when.values(), default=1.0) + TAIL_SECONDS
    first = -max(LEAD_SECONDS, NEAR * last)  # room for the first words
    figure, axes = plt.subplots(figsize=(9, 3.8), layout="constrained")
    axes.set_xlim(first, last)
    for row, (_, events) in enumerate(ROWS):
        known = [(death.when[what], _word(death, what, words)) for what, words in events if what in death.when]
        _chain(axes, row, known, palette.COLOURS[row], last - first)
    _requests(axes, death, first, last)
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
    _at_risk(axes, death)
    names = [name for name, _ in ROWS]
    axes.set_yticks(range(4), [*names, f"answered by {death.pod}", f"failed ({len(death.failed)})"])
    axes.set_ylim(3.6, -0.9)
    axes.set_xlabel("seconds since the pod was asked to go")
    axes.set_title(f"{death.pod}: {death.sentence}", loc="left", fontsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    plt.close(figure)
    return figure


def _word(death: Death, what: str, words: str) -> str:
    return "SIGKILL" if what == ENDED and death.killed else words


def _chain(axes: Axes, row: int, events: list[tuple[float, str]], colour: str, width: float) -> None:
    """One chain: a line from its first moment to its last, and a word at each."""
    if not events:
        return
    events = sorted(events)
    axes.plot([events[0][0], events[-1][0]], [row, row], color=colour, linewidth=2)
    level, before = 1, events[0][0]
    for at, words in events:
        level = level + 1 if at - before < NEAR * width and at > events[0][0] else 0
        before = at
        axes.plot(at, row, marker="o", color=colour, markersize=7, markeredgecolor="white")
        up, first = level % 2 == 0, at == events[0][0]
        axes.annotate(
            words, (at, row), xytext=(-6 if first else 3, 0 if first else (6 + 11 * (level // 2)) * (1 if up else -1)),
            textcoords="offset points", va="center" if first else "bottom" if up else "top",
            ha="right" if first else "left", fontsize=8.5,
        )  # fmt: skip


def _requests(axes: Axes, death: Death, first: float, last: float) -> None:
    answered = [at for at in death.answered if first <= at <= last]
    axes.plot(answered, [2] * len(answered), linestyle="", marker="|", markersize=10, color=palette.GOOD)
    if answered:
        axes.annotate(
            LAST_ANSWER.removesuffix(" that it answered"), (max(answered), 2), xytext=(4, 6),
            textcoords="offset points", fontsize=8.5,
        )  # fmt: skip
    axes.plot(death.failed, [3] * len(death.failed), linestyle="", marker="x", markersize=7, color=palette.BAD)
    if not death.failed:
        axes.annotate(f"no {FAILED}", (0, 3), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5)


def _at_risk(axes: Axes, death: Death) -> None:
    """The time in which rules lead to a process that has been told to end."""
    if death.told_too_early:
        axes.axvspan(death.when[SIGTERM], death.when[RULE_GONE], color=palette.BAD, alpha=0.15, linewidth=0)
